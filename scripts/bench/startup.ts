// What starting the built netops costs beside an empty script on the same Node.
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { aimOf, aimText, figures, machine, table, type Figures } from './figures.ts'
import { freshNetops, pinnedNode } from './netops.ts'

const pairs = 40
const warmUps = 5
// The aim of the project: start-up feels like the runtime's own.
const aimedRatio = 1.3

function timeRun([file = '', ...args]: readonly string[]): number {
  const begun = performance.now()
  const { status, stderr, error } = spawnSync(file, args, { encoding: 'utf8', timeout: 60_000 })
  const took = performance.now() - begun
  if (error !== undefined || status !== 0) {
    throw new Error(`${file} ${args.join(' ')} exited with ${status ?? 'nothing'}: ${stderr}`, { cause: error })
  }
  return took
}

export async function startup(json: boolean): Promise<void> {
  const netops = await freshNetops()
  const node = await pinnedNode()
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
    const row = (name: string, { min, median, p95 }: Figures) => [
      name,
      ...[min, median, p95].map((ms) => ms.toFixed(1)),
    ]
    console.log(`${pairs} interleaved pairs, Node ${node.version}, ${machine().processors}\n`)
    console.log(
      table(
        ['start-up, ms', 'min', 'median', 'p95'],
        [row('`netops --version`', result.ours), row('`node empty.js`', result.bare)],
      ),
    )
    console.log(`\n${aimText(aimOf('startup', ratio, aimedRatio))}`)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
