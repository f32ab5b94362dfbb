import { makeArchive } from '../src/archive/make.ts'
import { verifyArchive } from '../src/archive/verify.ts'
import { extractArchive } from '../src/archive/extract.ts'
import { differences } from '../src/archive/diff.ts'
import { readManifest } from '../src/archive/manifest.ts'
const [what, base='', root='', folder='', name='', last, compression='gzip'] = process.argv.slice(2)
const t=performance.now()
if (what==='make') { const made = await makeArchive({ place:{folder, name}, base, roots:[root], compression: compression as never, last: last===''?undefined:last }, {})
const {leftOut, ...m}=made.manifest
console.log(JSON.stringify({slabs:made.slabs, refused: made.lastRefused, totals:m.totals, bytes:m.archive.bytes, troubles:m.troubles.slice(0,5), unlisted:m.unlisted})) }
if (what==='verify') {const v=await verifyArchive({folder,name}); console.log(v.damages, v.unlisted, v.read)}
if (what==='extract') {const v=await extractArchive({place:{folder,name}, into: base, ...(last?{only:[last]}:{})}); console.log(v.entries)}
if (what==='diff') {const manifest=await readManifest({folder,name}); for await (const d of differences({place:{folder,name}, manifest},{base,roots:[root]},{leave:console.log,trouble:console.log})) console.log(d.kind,d.name,'what' in d?d.what:'')}
console.log(JSON.stringify({s:(performance.now()-t)/1000, cpu:process.cpuUsage(), rss:process.resourceUsage().maxRSS}))
