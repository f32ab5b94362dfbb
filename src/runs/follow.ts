// Follows a run that another process carries out: each record once, until the run ends or nobody goes on with it.
import { setTimeout as sleep } from 'node:timers/promises'
import { journalPath } from '../engine/journal.ts'
import { JournalTail } from '../engine/journal-tail.ts'
import { HeartbeatWatch } from '../engine/heartbeat.ts'
import { isCarried } from '../engine/lease.ts'
import { NetopsError } from '../model/errors.ts'
import type { JournalRecord } from '../model/journal.ts'
import { runsCommand } from '../model/paths.ts'

export interface Followed {
  readonly runs: string
  readonly run: string
  /** The root that the run belongs to. */
  readonly root: string
}

export interface Listener {
  /** The number of the first record to pass on. */
  readonly from: number
  readonly see: (record: JournalRecord) => void
}

/** The last record of a run that has ended, or stopped and can go on. */
export type Ending = Extract<JournalRecord, { type: 'end' | 'parked' }>

const everyMs = 100
// A part that was just started needs this long to begin; later than that, no process means it is dead.
const settleMs = 5000

/**
 * Passes the records of a run on.
 * @returns the last, when no process carries the run out any more
 * @throws NetopsError `partly` when nobody carries it out and it has not ended, `interrupted` when aborted
 */
export async function followRun(followed: Followed, { from, see }: Listener, signal: AbortSignal): Promise<Ending> {
  const { run, runs, root } = followed
  const begun = performance.now()
  const watch = new HeartbeatWatch()
  let seenAtWork = false
  const journal = new JournalTail(journalPath(runs, run))
  let last: JournalRecord | undefined
  for (;;) {
    // Asked before reading: whoever ends in between has written its end by then.
    const carried = await isCarried(runs, run, watch)
    seenAtWork ||= carried
    for (const record of await journal.read()) {
      if (record.seq >= from) see(record)
      last = record
    }
    // Whoever carries it out may go on after a record that ends it: then there are more to come.
    if (last !== undefined && last.seq >= from && isEnding(last) && !carried) return last
    if (!carried && (seenAtWork || performance.now() - begun > settleMs)) {
      throw new NetopsError('partly', {
        message: `nobody is carrying out run ${run}, and it has not ended`,
        hint: `go on with it: ${runsCommand('resume', run, root)}`,
      })
    }
    await pause(run, signal)
  }
}

const isEnding = (record: JournalRecord): record is Ending => record.type === 'end' || record.type === 'parked'

async function pause(run: string, signal: AbortSignal): Promise<void> {
  try {
    await sleep(everyMs, undefined, { signal })
  } catch (cause) {
    throw new NetopsError('interrupted', { message: `no longer following run ${run}; the run itself goes on`, cause })
  }
}
