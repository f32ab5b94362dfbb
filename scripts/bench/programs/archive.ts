// Makes, verifies or unpacks one archive: what the benchmark times, bundled. `archive make BASE ROOT FOLDER NAME LAST COMPRESSION`,
// `archive verify FOLDER NAME`, `archive extract FOLDER NAME INTO`.
import { extractArchive } from '../../../src/archive/extract.ts'
import { makeArchive } from '../../../src/archive/make.ts'
import { verifyArchive } from '../../../src/archive/verify.ts'

const [what = '', ...words] = process.argv.slice(2)

async function work(): Promise<void> {
  if (what === 'make') {
    const [base = '', root = '', folder = '', name = '', last, compression] = words
    const { manifest, lastRefused } = await makeArchive({
      ...{ place: { folder, name }, base, roots: [root], last: last === '-' ? undefined : last },
      compression: compression === 'zstd' ? 'zstd' : 'gzip',
    })
    if (manifest.troubles.length > 0 || lastRefused !== undefined)
      throw new Error(`not as it should be: ${lastRefused ?? ''}`)
  } else if (what === 'verify') {
    const [folder = '', name = ''] = words
    const { damages } = await verifyArchive({ folder, name })
    if (damages.length > 0) throw new Error(damages.join('\n'))
  } else {
    const [folder = '', name = '', into = ''] = words
    await extractArchive({ place: { folder, name }, into })
  }
}

work().catch((error: unknown) => {
  console.error(error)
  process.exitCode = 1
})
