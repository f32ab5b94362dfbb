// What a host's old runs cost those who look at it: `netops status` and `netops health` below a root without any and with many.
import { spawnSync } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { planHash } from '../../src/engine/journal.ts'
import { runFilePath, type RunFile } from '../../src/engine/run-file.ts'
import type { JournalEntry } from '../../src/model/journal.ts'
import { hostPaths, type HostPaths } from '../../src/model/paths.ts'
import { sequence } from '../../src/model/plan.ts'
import type { ActivationRecord } from '../../src/procedures/deploy/request.ts'
import { aimOf, aimText, figures, load, machine, table, type Figures } from './figures.ts'
import { freshNetops } from './netops.ts'

const oldRuns = 10_000
const journalLines = 20
const warmUps = 3
// The aim of the project: looking at a host takes as long after years as on its first day.
const aimedRatio = 1.1

const commands = ['status', 'health'] as const
type Command = (typeof commands)[number]
const places = ['none', 'many'] as const
type Samples = Readonly<Record<Command, Readonly<Record<(typeof places)[number], number[]>>>>

export async function runs({ json, rounds = 40 }: { readonly json: boolean; readonly rounds: number | undefined }) {
  const netops = await freshNetops()
  const folder = await mkdtemp(join(tmpdir(), 'netops-bench-'))
  try {
    const roots = { none: join(folder, 'none'), many: join(folder, 'many') }
    for (const place of places) await deployedLike(hostPaths(roots[place]), netops)
    for (let index = 0; index < oldRuns; index++) await writeRun(hostPaths(roots.many).runs, index)
    const samples: Samples = { status: { none: [], many: [] }, health: { none: [], many: [] } }
    for (let round = -warmUps; round < rounds; round++) {
      for (const command of commands) {
        // The one that comes second finds more in the processor's caches.
        for (const place of round % 2 === 0 ? places : places.toReversed()) {
          const took = timeRun([netops, command, '--root', roots[place]])
          if (round >= 0) samples[command][place].push(took)
        }
      }
    }
    report(samples, rounds, json)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** What a deployment leaves that a look at the host reads; the service is stopped, so that it takes no part. */
async function deployedLike(paths: HostPaths, netops: string): Promise<void> {
  const id = '20260101T000000Z-deploy-0000.local'
  const release = { id: '1.0.0-0123456789ab', version: '1.0.0', sha256: '0'.repeat(64), size: 1 }
  const record: ActivationRecord = {
    schema: 'netops/activation/v1',
    id,
    reason: 'deploy',
    release,
    configSha256: '0'.repeat(64),
    checksConfig: true,
    endpoints: { healthUrl: 'http://127.0.0.1:9/health', readyUrl: 'http://127.0.0.1:9/health/ready', ports: [9] },
  }
  for (const path of [
    join(paths.history, id),
    paths.open,
    paths.runs,
    dirname(paths.config),
    dirname(paths.netopsLink),
  ]) {
    await mkdir(path, { recursive: true })
  }
  await writeFile(join(paths.history, id, 'activation.json'), JSON.stringify(record))
  await mkdir(join(paths.releases, release.id), { recursive: true })
  await symlink(`releases/${release.id}`, paths.current)
  await writeFile(paths.config, 'server:\n  port: 9\n')
  await copyFile(netops, paths.netopsLink)
}

/** A run that has ended, as a deployment leaves it. */
async function writeRun(folder: string, index: number): Promise<void> {
  const at = new Date(Date.UTC(2026, 0, 1) + index * 60_000).toISOString()
  const fleet = `${at.replace(/[-:]|\.\d+/g, '')}-deploy-${index.toString(16).padStart(4, '0')}`
  const run = `${fleet}.local`
  const file: RunFile = {
    schema: 'netops/run/v1',
    run,
    scope: 'host',
    fleet,
    procedure: 'deploy',
    host: 'local',
    leases: ['release'],
    netops: '/opt/network_system/netops/0123456789ab/netops',
    started: at,
    state: 'ended',
    outcome: 'done',
    changed: true,
    at,
  }
  const plan = sequence('Deploy', [])
  const steps = Array.from({ length: (journalLines - 2) / 2 }, (_, step): readonly JournalEntry[] => [
    { type: 'begin', step: `step-${step}` },
    { type: 'done', step: `step-${step}`, changed: true },
  ])
  const entries: readonly JournalEntry[] = [
    {
      type: 'run',
      run,
      procedure: 'deploy',
      by: '1.0.0 (0123456)',
      input: { padding: 'x'.repeat(4000) },
      facts: null,
      plan,
      planSha256: planHash(plan),
    },
    ...steps.flat(),
    { type: 'end', outcome: 'done', changed: true },
  ]
  const lines = entries.map((entry, seq) => JSON.stringify({ netops: 1, seq: seq + 1, at, ...entry }))
  await mkdir(join(folder, run), { recursive: true })
  await writeFile(join(folder, run, 'journal.jsonl'), `${lines.join('\n')}\n`)
  await writeFile(runFilePath(folder, run), `${JSON.stringify(file)}\n`)
}

function timeRun([file = '', ...args]: readonly string[]): number {
  const begun = performance.now()
  const { status, stdout, stderr, error } = spawnSync(file, args, { encoding: 'utf8', timeout: 60_000 })
  const took = performance.now() - begun
  // health exits with 5: nothing answers.
  const wanted = args[0] === 'health' ? 5 : 0
  if (error === undefined && status === wanted && stdout.includes('1.0.0-0123456789ab')) return took
  throw new Error(`${file} ${args.join(' ')} exited with ${status ?? 'nothing'}: ${stdout}${stderr}`, { cause: error })
}

function report(samples: Samples, rounds: number, json: boolean): void {
  const measured = commands.map((command) => {
    const [none, many] = [figures(samples[command].none), figures(samples[command].many)]
    return { command, none, many, ratio: many.median / none.median }
  })
  const aims = measured.map(({ command, ratio }) => aimOf(`${command}-old-runs`, ratio, aimedRatio))
  if (json) {
    const document = { schema: 'netops/bench/v1', benchmark: 'runs', unit: 'ms', rounds, oldRuns, aims }
    console.log(JSON.stringify({ ...document, node: machine().node, load: load(), measured }))
    return
  }
  const row = (name: string, { min, median, p95 }: Figures) => [name, ...[min, median, p95].map((ms) => ms.toFixed(1))]
  const rows = measured.flatMap(({ command, none, many }) => [
    row(`\`netops ${command}\`, no old run`, none),
    row(`\`netops ${command}\`, ${oldRuns} old runs`, many),
  ])
  console.log(`${rounds} interleaved rounds, Node ${machine().node}, ${machine().processors}, load ${load()}\n`)
  console.log(`${table(['ms', 'min', 'median', 'p95'], rows)}\n`)
  for (const aim of aims) console.log(aimText(aim))
}
