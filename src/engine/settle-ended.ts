// Clears up after processes that were killed between the end of their run and saying so.
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { NetopsError, systemCode } from '../model/errors.ts'
import { readJournal, runState } from './journal.ts'
import { carrierOf, carryRun } from './lease.ts'
import { closeRun, openRuns, settleRun } from './run-file.ts'

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
