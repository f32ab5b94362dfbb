// `true` on 10 and on 50 hosts by every tool.
import { chmod, mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { exec } from '../../src/system/exec.ts'
import { contest, type Contestant } from './contest.ts'
import type { Bench } from './fanout.ts'
import { table, type Figures } from './figures.ts'
import { commandPeers, endMasters, present, requireSuccess, type Peer } from './peers.ts'
import type { HostSet } from './ssh-hosts.ts'

const usualRounds = 7
const counts = [10, 50]
// The aims of the project, as ratios of the medians.
const aims = { fastestPeer: 0.5, bareLoop: 1.3 }

const ourName = '`netops exec`'
const bareName = 'bare ssh2 loop'

type Runner = Omit<Peer, 'program' | 'from'>

export async function compareCommands(bench: Bench) {
  const rounds = bench.rounds ?? usualRounds
  const results = []
  for (const count of counts) {
    const set = await bench.hosts.take(count)
    await proveThatAllRun(bench, set)
    const runners = await runnersOf(bench, set, 'true')
    const contestants = runners.map((runner) => contestantOf(runner, bench, set))
    const taken = await contest(contestants, {
      rounds,
      warmUps: 0, // the proof was one
      tell: (line) => bench.tell(`true on ${count} hosts, ${line}`),
    })
    results.push({ hosts: count, ...judge(taken) })
  }
  return { data: { unit: 's', rounds, aims, results }, text: results.map(textOf).join('\n\n') }
}

/** netops, the bare loop, and all tools that are there. */
async function runnersOf(bench: Bench, set: HostSet, command: string): Promise<readonly Runner[]> {
  const order = join(bench.folder, `exec-${set.hosts.length}-${command.replaceAll('/', '_')}.json`)
  await writeFile(order, JSON.stringify({ hosts: set.hosts, command }))
  return [
    { name: ourName, argv: () => [bench.netops, 'exec', '--inventory', set.inventory, '--', command] },
    { name: bareName, argv: () => [...bench.program('bare-exec'), order] },
    ...(await present(commandPeers(command))),
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

/** Not every tool's exit code tells: a program that leaves a file for each host shows that each tool reaches them all. */
async function proveThatAllRun(bench: Bench, set: HostSet): Promise<void> {
  const ran = join(bench.folder, 'ran')
  const mark = join(bench.folder, 'mark')
  // sshd(8): the last word of it is the port of the server.
  await writeFile(mark, `#!/bin/sh\n: > "${ran}/\${SSH_CONNECTION##* }"\n`)
  await chmod(mark, 0o755)
  for (const runner of await runnersOf(bench, set, mark)) {
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

function textOf({ hosts, rows, fastestPeer, bareLoop }: { readonly hosts: number } & ReturnType<typeof judge>): string {
  const shown = table(
    [`\`true\` on ${hosts} hosts, seconds`, 'runs', 'min', 'median', 'netops takes'],
    rows.map(({ name, samples, min, median, ratio }) => [
      name,
      ...[`${samples}`, min.toFixed(2), median.toFixed(2), name === ourName ? '' : `x ${ratio.toFixed(2)}`],
    ]),
  )
  const beside = (row: typeof bareLoop, aim: number): string =>
    row === undefined ? '' : `\nbeside ${row.name}: ${row.ratio.toFixed(2)} (aim: at most ${aim})`
  return `${shown}\n${beside(fastestPeer, aims.fastestPeer)}${beside(bareLoop, aims.bareLoop)}`
}
