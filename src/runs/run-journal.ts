// A run's journal while this process carries the run out: watched by whoever shows it, and cut off where a rehearsal says so.
import { randomBytes } from 'node:crypto'
import { Journal, type JournalObserver } from '../engine/journal.ts'
import { carryRun } from '../engine/lease.ts'
import { settleRun } from '../engine/run-file.ts'
import { settleEnded } from '../engine/settle-ended.ts'
import type { RunResult } from '../engine/run.ts'
import type { JournalRecord } from '../model/journal.ts'
import { buildInfo } from '../system/build-info.ts'
import { makeStateFolder } from '../system/state-file.ts'
import type { RunContext } from './context.ts'

/** A name that sorts by time and is unique among operators: `20261123T104501Z-deploy-3f9a`. */
export function newRunId(procedure: string, now: Date): string {
  const stamp = now.toISOString().replace(/[-:]|\.\d+/g, '')
  return `${stamp}-${procedure}-${randomBytes(2).toString('hex')}`
}

/** The netops that decides, as journals name it. */
export const decidedBy = `${buildInfo.version} (${buildInfo.commit})`

/** What JSON keeps of a value: fields that are undefined are left out, and undefined itself is null. */
export const plain = (value: unknown): never => JSON.parse(JSON.stringify(value ?? null)) as never

/** A run that this process carried out, or whose end it read. */
export interface Ran {
  readonly result: RunResult
  readonly records: readonly JournalRecord[]
}

/**
 * Does something with a run's journal while no other process carries the run out.
 * @throws NetopsError `locked` when another process does
 */
export async function carrying(
  runs: string,
  run: string,
  context: RunContext,
  work: (journal: Journal) => Promise<RunResult>,
): Promise<Ran> {
  context.answerInterrupts('from here')
  await makeStateFolder(runs)
  const carrier = await carryRun(runs, run)
  try {
    const journal = await openJournal(runs, run, context)
    try {
      await settleEnded(runs)
      return { result: await work(journal), records: journal.records }
    } finally {
      journal.close()
      // Whoever comes next says how the run ended if this process cannot.
      await settleRun(runs, run, journal.records).catch(() => undefined)
    }
  } finally {
    await carrier.giveBack()
  }
}

/** Opens a journal whose records are watched as they come. */
export async function openJournal(runs: string, run: string, context: RunContext): Promise<Journal> {
  const watcher = await context.watchRun()
  const watch: JournalObserver = (record, when) => {
    if (when === 'after') watcher.see(record)
  }
  const observers = [watch, faultObserver(context.env.NETOPS_FAULT ?? '')]
  const journal = await Journal.open(runs, run, {
    now: () => new Date(),
    observe: (record, when) => observers.forEach((observer) => observer(record, when)),
  })
  // A run that goes on: what was done before is known, and not told again.
  for (const record of journal.records) watcher.recall(record)
  return journal
}

/** A place in a journal: a record by its type and, where it is about one, its step: `begin:web1/activate`, `end`. */
export const placeInJournal = (record: JournalRecord): string =>
  'step' in record ? `${record.type}:${record.step}` : record.type

/**
 * Dies at a chosen record of the journal, as a power cut or `kill -9` would, or stands still there until it is continued:
 * `NETOPS_FAULT=kill-before:begin:web1/activate`, `kill-after:end`, `stop-after:done:web1/lease`. Rehearsals and tests use
 * it; unset, it does nothing.
 */
function faultObserver(fault: string): JournalObserver {
  const [, what, moment, place] = /^(kill|stop)-(before|after):(.+)$/.exec(fault) ?? []
  return (record, when) => {
    if (when === moment && place === placeInJournal(record))
      process.kill(process.pid, what === 'kill' ? 'SIGKILL' : 'SIGSTOP')
  }
}

/** Dies after so many items of a work, as `NETOPS_FAULT=kill-after-item:250` says; undefined where nothing is said. */
export function itemFault(fault: string): (() => void) | undefined {
  const [, at] = /^kill-after-item:([0-9]+)$/.exec(fault) ?? []
  if (at === undefined) return undefined
  let items = 0
  return () => {
    items += 1
    if (items === Number(at)) process.kill(process.pid, 'SIGKILL')
  }
}
