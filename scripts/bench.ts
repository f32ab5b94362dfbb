// `npm run bench -- startup`: what starting the built netops costs beside an empty script on the same Node.
import { spawnSync } from 'node:child_process'
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { planBuild, runBuild } from '../src/build/build.ts'
import { findPinnedNode, ownCheckout, readPackage } from '../src/build/checkout.ts'

const pairs = 40
const warmUps = 5
// The aim of the project: start-up feels like the runtime's own.
const aimedRatio = 1.3

interface Figures {
  readonly min: number
  readonly median: number
  readonly p95: number
}

/** Nearest-rank quantiles, in milliseconds. */
function figures(samples: readonly number[]): Figures {
  const sorted = samples.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
  return { min: at(0), median: at(0.5), p95: at(0.95) }
}

function timeRun([file = '', ...args]: readonly string[]): number {
  const begun = performance.now()
  const { status, stderr, error } = spawnSync(file, args, { encoding: 'utf8', timeout: 60_000 })
  const took = performance.now() - begun
  if (error !== undefined || status !== 0) {
    throw new Error(`${file} ${args.join(' ')} exited with ${status ?? 'nothing'}: ${stderr}`, { cause: error })
  }
  return took
}

/** The built netops, built now where it is missing or older than something that it is made of. */
async function freshNetops(): Promise<string> {
  const out = join(ownCheckout, 'build')
  const file = join(out, 'netops')
  const builtAt = (await stat(file).catch(() => undefined))?.mtimeMs ?? 0 // not there: older than everything
  const folders = ['src', 'templates'].map((name) => join(ownCheckout, name))
  const listed = await Promise.all(folders.map((path) => readdir(path, { recursive: true, withFileTypes: true })))
  const files = listed.flat().map((entry) => join(entry.parentPath, entry.name))
  const all = [...files, join(ownCheckout, 'package.json'), join(ownCheckout, 'package-lock.json')]
  const times = await Promise.all(all.map(async (path) => (await stat(path)).mtimeMs))
  if (Math.max(...times) < builtAt) return file
  console.error('building netops, because a source is newer')
  const plan = await planBuild({ checkout: ownCheckout, names: ['netops'], out })
  await runBuild(plan, { signal: new AbortController().signal, progress: (line) => console.error(line) })
  return file
}

async function startup(json: boolean): Promise<void> {
  const netops = await freshNetops()
  const node = await findPinnedNode(ownCheckout, (await readPackage(ownCheckout)).optionalDependencies)
  const folder = await mkdtemp(join(tmpdir(), 'netops-bench-'))
  try {
    const empty = join(folder, 'empty.js')
    await writeFile(empty, '')
    const ours = [netops, '--version']
    const bare = [node.file, empty]
    for (let i = 0; i < warmUps; i++) [ours, bare].forEach(timeRun)
    const samples = { ours: [] as number[], bare: [] as number[] }
    for (let i = 0; i < pairs; i++) {
      samples.ours.push(timeRun(ours))
      samples.bare.push(timeRun(bare))
    }
    const result = { ours: figures(samples.ours), bare: figures(samples.bare) }
    const ratio = result.ours.median / result.bare.median
    if (json) {
      const { ours: netopsVersion, bare: emptyScript } = result
      const document = { schema: 'netops/bench/v1', benchmark: 'startup', unit: 'ms', pairs, node: node.version }
      console.log(JSON.stringify({ ...document, netopsVersion, emptyScript, ratio, aimedRatio }))
      return
    }
    const row = (name: string, { min, median, p95 }: Figures): string =>
      `| ${name.padEnd(24)} |${[min, median, p95].map((ms) => ` ${ms.toFixed(1).padStart(6)} |`).join('')}`
    const processors = cpus()
    console.log(
      `${pairs} interleaved pairs, Node ${node.version}, ${processors.length} x ${processors[0]?.model ?? '?'}\n`,
    )
    console.log(`| ${'start-up, ms'.padEnd(24)} |    min | median |    p95 |`)
    console.log(`| ${'-'.repeat(24)} | -----: | -----: | -----: |`)
    console.log(row('`netops --version`', result.ours))
    console.log(row('`node empty.js`', result.bare))
    console.log(`\nratio of the medians: ${ratio.toFixed(2)} (aim: at most ${aimedRatio})`)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const { values, positionals } = parseArgs({ options: { json: { type: 'boolean' } }, allowPositionals: true })
const unknown = positionals.find((name) => name !== 'startup')
if (unknown === undefined) {
  await startup(values.json ?? false)
} else {
  console.error(`there is no benchmark called ${unknown}; usage: npm run bench -- startup [--json]`)
  process.exitCode = 2
}
