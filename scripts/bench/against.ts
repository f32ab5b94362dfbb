// This netops beside the one of another checkout: whether a change made anything slower. The same commands in turn, in one run.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { bundle } from '../../src/build/bundle.ts'
import { ownCheckout } from '../../src/build/checkout.ts'
import { exec, execText } from '../../src/system/exec.ts'
import { contest, type Contestant } from './contest.ts'
import type { Bench } from './fanout-bench.ts'
import { execContestant } from './fanout-command.ts'
import { makeSource, pushContestant } from './fanout-copy.ts'
import { aimOf, aimText, load, machine, table, type Figures } from './figures.ts'
import { freshNetops, pinnedNode } from './netops.ts'
import { toolEnvironment } from './peers.ts'
import { startSshHosts, type HostSet } from './ssh-hosts.ts'

// The aim of the project: nothing gets slower by more than a measurement can tell.
const aimedRatio = 1.05
const [before, after] = ['before', 'after'] as const

export interface AgainstOptions {
  readonly json: boolean
  /** The other checkout. */
  readonly checkout: string | undefined
  readonly rounds: number | undefined
}

interface Part {
  readonly name: string
  readonly what: string
  readonly contestants: readonly Contestant[]
  readonly rounds: number
}

type Which = typeof before | typeof after

export async function against({ json, checkout, rounds }: AgainstOptions): Promise<void> {
  if (checkout === undefined) throw new Error('say which: npm run bench -- against --checkout DIR')
  const other = resolve(checkout)
  const netops = { [before]: await netopsOf(other), [after]: await freshNetops() }
  const folder = await mkdtemp(join(tmpdir(), 'netops-bench-'))
  const stopping = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => stopping.abort())
  const hosts = await startSshHosts(folder, 50)
  try {
    const push = {
      [before]: await pushProgram(join(folder, 'push-before.cjs'), other),
      [after]: await pushProgram(join(folder, 'push-after.cjs'), ownCheckout),
    }
    const tell = (line: string) => console.error(line)
    const common = { folder, hosts, rounds, tell, env: toolEnvironment(folder), signal: stopping.signal }
    const benchOf = (which: Which): Bench => ({ ...common, netops: netops[which], program: () => push[which] })
    const rows: Row[] = []
    for (const part of await partsOf(benchOf, folder)) rows.push(await measure(part, rounds, tell))
    present(rows, json)
  } finally {
    await hosts.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

async function netopsOf(checkout: string): Promise<string> {
  console.error(`building netops of ${checkout}`)
  await execText([join(checkout, 'bin', 'netops'), 'build'], { cwd: checkout, timeoutMs: 600_000 })
  return join(checkout, 'build', 'netops')
}

async function pushProgram(file: string, checkout: string): Promise<readonly string[]> {
  const { code } = await bundle({ checkout, entry: 'scripts/bench/programs/push.ts', facts: {} })
  await writeFile(file, code)
  return [(await pinnedNode()).file, file]
}

async function partsOf(benchOf: (which: Which) => Bench, folder: string): Promise<readonly Part[]> {
  const { hosts } = benchOf(after)
  const [ten, fifty] = [await hosts.take(10), await hosts.take(50)]
  const source = await makeSource(benchOf(after))
  const root = join(folder, 'root')
  await mkdir(root)
  const here = (...words: readonly string[]) => both((which) => command(which, benchOf(which), words))
  const execOn = (set: HostSet) => both((which) => execContestant(which, benchOf(which), set))
  const sent = new Map<string, number>()
  const pushed = await Promise.all(
    [before, after].map((which) =>
      pushContestant(which, source.file, 'push', { bench: benchOf(which), set: ten, ...source, sent }),
    ),
  )
  return [
    { name: 'start-up', what: '`netops --version`', contestants: here('--version'), rounds: 40 },
    { name: 'status', what: '`netops status --root`', contestants: here('status', '--root', root), rounds: 20 },
    { name: 'exec-10', what: '`netops exec -- true`, 10 hosts', contestants: execOn(ten), rounds: 20 },
    { name: 'exec-50', what: '`netops exec -- true`, 50 hosts', contestants: execOn(fifty), rounds: 15 },
    { name: 'push-10', what: '40 MB pushed to 10 hosts', contestants: pushed, rounds: 5 },
  ]
}

const both = (make: (which: Which) => Contestant): readonly Contestant[] => [make(before), make(after)]

const command = (name: Which, { netops, env, signal }: Bench, words: readonly string[]): Contestant => ({
  name,
  async run() {
    const { code, stderr } = await exec([netops, ...words], { env, signal })
    if (code !== 0) throw new Error(`${netops} ${words.join(' ')} exited with ${code}: ${stderr}`)
  },
})

interface Row {
  readonly name: string
  readonly what: string
  readonly was: Figures
  readonly is: Figures
}

async function measure(
  { name, what, contestants, rounds: usual }: Part,
  rounds: number | undefined,
  tell: Bench['tell'],
): Promise<Row> {
  const taken = await contest(contestants, {
    rounds: rounds ?? usual,
    warmUps: 1,
    tell: (line) => tell(`${what}: ${line}`),
  })
  const [was, is] = [taken.get(before), taken.get(after)]
  if (was === undefined || is === undefined) throw new Error(`${what} was not measured`)
  return { name, what, was, is }
}

function present(rows: readonly Row[], json: boolean): void {
  const aims = rows.map(({ name, was, is }) => aimOf(`${name}-against-before`, is.median / was.median, aimedRatio))
  const on = { ...machine(), load: load() }
  if (json) {
    console.log(JSON.stringify({ schema: 'netops/bench/v1', benchmark: 'against', unit: 's', ...on, rows, aims }))
    return
  }
  console.log(`interleaved rounds, Node ${on.node}, ${on.processors}, load average ${on.load}\n`)
  const seconds = (value: number): string => value.toFixed(3)
  const head = ['seconds', 'runs', 'before, min', 'after, min', 'before, median', 'after, median', 'ratio']
  const cells = rows.map(({ what, was, is }) => [
    ...[what, `${is.samples}`, seconds(was.min), seconds(is.min), seconds(was.median), seconds(is.median)],
    (is.median / was.median).toFixed(2),
  ])
  console.log(`${table(head, cells)}\n`)
  for (const aim of aims) console.log(aimText(aim))
}
