// Whether a run of any length is followed, and gone on with, in a time that grows with its length alone.
import { appendFile, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { advance, unknownRun } from '../../src/cli/present/progress/state.ts'
import { ItemLog } from '../../src/engine/item-log.ts'
import { JournalTail } from '../../src/engine/journal-tail.ts'
import { journalPath, planHash } from '../../src/engine/journal.ts'
import type { JournalEntry } from '../../src/model/journal.ts'
import { sequence, type Step } from '../../src/model/plan.ts'
import { aimOf, aimText, figures, machine, table } from './figures.ts'

const sizes = [1000, 10_000, 100_000] as const
// What a follower finds at each of its looks, ten times a second, where a host's part is at its busiest.
const burst = 100
const recordsPerStep = 10
// The aim of the project: ten times the records take ten times the time, with room for what the machine does beside it.
const aimedRatio = 2

const kinds = ['follow a journal', 'write an item log', 'read an item log'] as const

interface Row {
  readonly what: (typeof kinds)[number]
  readonly records: number
  readonly ms: number
}

export interface JournalOptions {
  readonly json: boolean
  readonly rounds: number | undefined
}

export async function journal({ json, rounds = 5 }: JournalOptions): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'netops-bench-'))
  try {
    await measure(join(folder, 'warm-up'), sizes[1])
    const rows: Row[] = []
    // Size by size, the smallest first: what the largest leaves in memory is not to be cleared away in another's time.
    for (const records of sizes) {
      const measured: Row[] = []
      for (let round = 1; round <= rounds; round += 1)
        measured.push(...(await measure(join(folder, `${records}-${round}`), records)))
      for (const what of kinds) {
        const ms = measured.filter((row) => row.what === what).map((row) => row.ms)
        rows.push({ what, records, ms: figures(ms).median })
      }
    }
    present(
      kinds.flatMap((what) => rows.filter((row) => row.what === what)),
      { json, rounds },
    )
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function measure(folder: string, records: number): Promise<readonly Row[]> {
  const ms = { follow: await follow(folder, records), ...(await itemLog(folder, records)) }
  return [
    { what: 'follow a journal', records, ms: ms.follow },
    { what: 'write an item log', records, ms: ms.write },
    { what: 'read an item log', records, ms: ms.read },
  ]
}

/** Reads a journal while it grows, and brings the state of the run up to date; only that is timed. */
async function follow(runs: string, count: number): Promise<number> {
  const path = journalPath(runs, 'run')
  await mkdir(dirname(path), { recursive: true })
  const lines = linesOf(count)
  const tail = new JournalTail(path)
  let run = unknownRun
  let [told, ms] = [0, 0]
  for (let at = 0; at < lines.length; at += burst) {
    await appendFile(path, lines.slice(at, at + burst).join(''))
    const begun = performance.now()
    for (const record of await tail.read()) {
      run = advance(run, record)
      told += 1
    }
    ms += performance.now() - begun
  }
  if (told !== count || run.hosts.get('web1')?.state !== 'working') throw new Error(`${told} of ${count} were told`)
  return ms
}

/** A host's part: the plan, then each step with its progress. */
function linesOf(count: number): readonly string[] {
  const steps = Array.from({ length: Math.ceil(count / recordsPerStep) }, (_, index): Step => ({
    kind: 'step',
    id: `step-${index}`,
    host: 'web1',
    title: `Do step ${index}`,
    act: [{ kind: 'work', work: 'any', input: null }],
    undo: [],
  }))
  const plan = sequence('all', steps)
  const entries: JournalEntry[] = [
    {
      ...{ type: 'run', run: 'run', procedure: 'any', by: 'bench', input: null, facts: null },
      ...{ plan, planSha256: planHash(plan) },
    } as const,
    ...steps.flatMap(({ id: step }): JournalEntry[] => [
      { type: 'begin', step },
      ...Array.from({ length: recordsPerStep - 2 }, (_, done): JournalEntry => ({
        type: 'progress',
        step,
        done,
        of: recordsPerStep,
      })),
      { type: 'done', step, changed: true },
    ]),
  ]
  const at = new Date(0).toISOString()
  return entries
    .slice(0, count)
    .map((entry, index) => `${JSON.stringify({ netops: 1, seq: index + 1, at, ...entry })}\n`)
}

async function itemLog(folder: string, count: number): Promise<{ readonly write: number; readonly read: number }> {
  const path = join(folder, 'items.jsonl')
  const keys = Array.from({ length: count }, (_, index) => `/var/log/network_system/server-${index}.log`)
  const [write] = await opened(path, async (log) => {
    for (const key of keys) log.add('step', key)
    await log.flush()
  })
  const [, read] = await opened(path, (log) => {
    if (!keys.every((key) => log.isDone('step', key))) throw new Error('an item was lost')
    return Promise.resolve()
  })
  return { write, read }
}

/** Opens a log and does something with it; ms for that, and ms with the opening. */
async function opened(
  path: string,
  work: (log: ItemLog) => Promise<void>,
): Promise<readonly [work: number, all: number]> {
  const begun = performance.now()
  const log = await ItemLog.open(path)
  try {
    const between = performance.now()
    await work(log)
    const ended = performance.now()
    return [ended - between, ended - begun]
  } finally {
    await log.close()
  }
}

const perRecord = ({ ms, records }: Row): number => (1000 * ms) / records

/** How much more a record takes in the longest than in one of a tenth of its length. */
function ratioOf(rows: readonly Row[], what: Row['what']): number {
  const [tenth, whole] = rows.filter((row) => row.what === what).slice(-2)
  return tenth === undefined || whole === undefined ? Number.NaN : perRecord(whole) / perRecord(tenth)
}

function present(rows: readonly Row[], { json, rounds }: { readonly json: boolean; readonly rounds: number }): void {
  const aims = [
    aimOf('journal-follow-linear', ratioOf(rows, 'follow a journal'), aimedRatio),
    aimOf('item-log-linear', ratioOf(rows, 'read an item log'), aimedRatio),
  ]
  const on = machine()
  if (json) {
    console.log(
      JSON.stringify({ schema: 'netops/bench/v1', benchmark: 'journal', unit: 'ms', rounds, ...on, rows, aims }),
    )
    return
  }
  console.log(`medians of ${rounds} rounds, Node ${on.node}, ${on.processors}, load average ${on.load}\n`)
  const cells = rows.map((row) => [
    row.what,
    row.records.toLocaleString('en'),
    row.ms.toFixed(1),
    perRecord(row).toFixed(2),
  ])
  console.log(`${table(['', 'records or items', 'ms', 'µs per record'], cells)}\n`)
  for (const aim of aims) console.log(aimText(aim))
}
