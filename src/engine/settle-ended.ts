// Clears up after processes that were killed between the end of their run and saying so.
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { NetopsError, systemCode } from '../model/errors.ts'
import { passOn, type LeaseName } from '../model/leases.ts'
import { Journal, readJournal, runState } from './journal.ts'
import { carrierOf, carryRun } from './lease.ts'
import { closeRun, openRuns, readRunFile, settleRun } from './run-file.ts'

/** Settles the runs of a folder that count as open and have ended, or never began. */
export async function settleEnded(runs: string): Promise<void> {
  for (const run of await openRuns(runs)) {
    try {
      if (await isStale(runs, run)) await settle(runs, run)
    } catch (error) {
      // Its journal is not understood, another process was faster, or the disk takes no more: whoever comes next tries again.
      if (!(error instanceof NetopsError) && systemCode(error) === undefined) throw error
    }
  }
}

/** A run that has begun, and what it holds of its host. */
interface Successor {
  readonly run: string
  readonly leases: readonly LeaseName[]
}

/**
 * Ends the runs of this host that were cut off and that nobody waits for: another one, which has all that they needed, has
 * begun in their place.
 */
export async function endPassedOn(runs: string, successor: Successor, now: () => Date): Promise<void> {
  for (const run of await openRuns(runs)) {
    if (run === successor.run) continue
    const file = await readRunFile(runs, run)
    if (file?.scope !== 'host' || file.leases === undefined || !passOn(file.leases)) continue
    if (!file.leases.every((name) => successor.leases.includes(name))) continue
    try {
      await endInFavour(runs, run, { successor, now })
    } catch (error) {
      // Its journal is not understood, or somebody goes on with it just now: it stays open, and keeps nobody out.
      if (!(error instanceof NetopsError)) throw error
    }
  }
}

async function endInFavour(
  runs: string,
  run: string,
  { successor, now }: { readonly successor: Successor; readonly now: () => Date },
): Promise<void> {
  if ((await carrierOf(runs, run)) !== undefined) return
  const carrier = await carryRun(runs, run)
  try {
    const journal = await Journal.open(runs, run, { now, observe: () => undefined })
    try {
      const { start, end } = runState(journal.records)
      if (start === undefined || end !== undefined) return
      const message = `it was cut off, and run ${successor.run} began in its place`
      journal.append({ type: 'end', outcome: 'interrupted', changed: false, error: { code: 'interrupted', message } })
      await settleRun(runs, run, journal.records)
    } finally {
      journal.close()
    }
  } finally {
    await carrier.giveBack()
  }
}

async function isStale(runs: string, run: string): Promise<boolean> {
  const records = (await readJournal(runs, run)) ?? []
  return records.length === 0 || runState(records).end !== undefined
}

async function settle(runs: string, run: string): Promise<void> {
  // Its folder was cleaned up: nobody can carry it out any more.
  if (await isGone(join(runs, run))) return closeRun(runs, run)
  // Its process has just begun, or is about to say so itself; and one that stands still is not to be ended for this.
  if ((await carrierOf(runs, run)) !== undefined) return
  const carrier = await carryRun(runs, run)
  try {
    // Looked at again: until here another process could have gone on with it, or back.
    if (!(await isStale(runs, run))) return
    const records = (await readJournal(runs, run)) ?? []
    if (records.length > 0) await settleRun(runs, run, records)
    await closeRun(runs, run)
  } finally {
    await carrier.giveBack()
  }
}

const isGone = (folder: string): Promise<boolean> =>
  stat(folder).then(
    () => false,
    (error: unknown) => systemCode(error) === 'ENOENT',
  )
