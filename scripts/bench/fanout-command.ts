// `true` on 10 and on 50 hosts: by every tool, or by netops and the bare loop alone.
import { chmod, mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { exec } from '../../src/system/exec.ts'
import { contest, type Contestant } from './contest.ts'
import type { Bench } from './fanout-bench.ts'
import { aimOf, table, type Aim, type Figures } from './figures.ts'
import { commandPeers, endMasters, present, requireSuccess, type Peer } from './peers.ts'
import type { HostSet } from './ssh-hosts.ts'

// Two alone are quick, and what lies between them is small beside what disturbs a machine.
const usualRounds = { all: 7, alone: 25 }
// The aims of the project, as ratios of the medians.
const aimedAtPeer = 0.5
const counts = [
  { count: 10, aimedAtBare: 1.3 },
  { count: 50, aimedAtBare: 1.1 },
]

const ourName = '`netops exec`'
const bareName = 'bare ssh2 loop'

type Runner = Omit<Peer, 'program' | 'from'>

/** netops, the bare loop, and all tools that are there. */
export const compareCommands = (bench: Bench) => compare(bench, 'all')

/** netops and the bare loop, in more rounds. */
export const compareExec = (bench: Bench) => compare(bench, 'alone')

async function compare(bench: Bench, who: keyof typeof usualRounds) {
  const rounds = bench.rounds ?? usualRounds[who]
  const results = []
  for (const { count, aimedAtBare } of counts) {
    const set = await bench.hosts.take(count)
    await proveThatAllRun(bench, set, who)
    const runners = await runnersOf(bench, set, { command: 'true', who })
    const contestants = runners.map((runner) => contestantOf(runner, bench, set))
    const taken = await contest(contestants, {
      rounds,
      warmUps: 0, // the proof was one
      tell: (line) => bench.tell(`true on ${count} hosts, ${line}`),
    })
    results.push({ hosts: count, aimedAtBare, ...judge(taken) })
  }
  const data = results.map(({ hosts, rows }) => ({ hosts, rows }))
  return {
    data: { unit: 's', rounds, results: data },
    text: results.map(textOf).join('\n\n'),
    aims: results.flatMap(aimsOf),
  }
}

async function runnersOf(
  bench: Bench,
  set: HostSet,
  { command, who }: { readonly command: string; readonly who: keyof typeof usualRounds },
): Promise<readonly Runner[]> {
  const order = join(bench.folder, `exec-${set.hosts.length}-${command.replaceAll('/', '_')}.json`)
  await writeFile(order, JSON.stringify({ hosts: set.hosts, command }))
  return [
    { name: ourName, argv: () => [bench.netops, 'exec', '--inventory', set.inventory, '--', command] },
    { name: bareName, argv: () => [...bench.program('bare-exec'), order] },
    ...(who === 'all' ? await present(commandPeers(command)) : []),
  ]
}

const contestantOf = ({ name, argv, success, every }: Runner, bench: Bench, set: HostSet): Contestant => ({
  name,
  ...(every === undefined ? {} : { every }),
  run: async () => {
    const result = await exec(argv(set), { env: bench.env, cwd: bench.folder, signal: bench.signal })
    requireSuccess(name, result, set, success)
  },
  after: () => endMasters(bench.folder),
})

/** `netops exec -- true` by the netops of a bench. */
export const execContestant = (name: string, bench: Bench, set: HostSet): Contestant =>
  contestantOf({ name, argv: () => [bench.netops, 'exec', '--inventory', set.inventory, '--', 'true'] }, bench, set)

/** Not every tool's exit code tells: a program that leaves a file for each host shows that each tool reaches them all. */
async function proveThatAllRun(bench: Bench, set: HostSet, who: keyof typeof usualRounds): Promise<void> {
  const ran = join(bench.folder, 'ran')
  const mark = join(bench.folder, 'mark')
  // sshd(8): the last word of it is the port of the server.
  await writeFile(mark, `#!/bin/sh\n: > "${ran}/\${SSH_CONNECTION##* }"\n`)
  await chmod(mark, 0o755)
  for (const runner of await runnersOf(bench, set, { command: mark, who })) {
    await rm(ran, { recursive: true, force: true })
    await mkdir(ran)
    const { run, after } = contestantOf(runner, bench, set)
    await run()
    await after?.()
    const { length } = await readdir(ran)
    if (length !== set.hosts.length) throw new Error(`${runner.name} ran on ${length} of ${set.hosts.length} hosts`)
  }
}

function judge(taken: ReadonlyMap<string, Figures>) {
  const ours = taken.get(ourName)?.median ?? Number.NaN
  const rows = [...taken].map(([name, figures]) => ({ name, ...figures, ratio: ours / figures.median }))
  const peers = rows.filter(({ name }) => name !== ourName && name !== bareName)
  const fastest = peers.toSorted((a, b) => a.median - b.median)[0]
  return { rows, fastestPeer: fastest, bareLoop: rows.find(({ name }) => name === bareName) }
}

type Judged = ReturnType<typeof judge> & { readonly hosts: number; readonly aimedAtBare: number }

const aimsOf = ({ hosts, aimedAtBare, fastestPeer, bareLoop }: Judged): readonly Aim[] => [
  ...(fastestPeer === undefined ? [] : [aimOf(`exec-${hosts}-hosts-peer`, fastestPeer.ratio, aimedAtPeer)]),
  aimOf(`exec-${hosts}-hosts`, bareLoop?.ratio ?? Number.NaN, aimedAtBare),
]

const textOf = ({ hosts, rows }: Judged): string =>
  table(
    [`\`true\` on ${hosts} hosts, seconds`, 'runs', 'min', 'median', 'netops takes'],
    rows.map(({ name, samples, min, median, ratio }) => [
      name,
      ...[`${samples}`, min.toFixed(2), median.toFixed(2), name === ourName ? '' : `x ${ratio.toFixed(2)}`],
    ]),
  )
