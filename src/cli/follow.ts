// Follows a run that another process carries out: each record once, until the run ends or nobody goes on with it.
import { stat } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { journalPath, readJournal } from '../engine/journal.ts'
import { NetopsError, systemCode } from '../model/errors.ts'
import type { EndRecord, JournalRecord } from '../model/journal.ts'
import { runsCommand } from '../model/paths.ts'
import { isOpenForWriting } from '../system/processes.ts'
import { isCarriedOut } from './host-part.ts'

export interface Followed {
  readonly runs: string
  readonly run: string
  /** The root whose lease the run holds if it is a host's part. */
  readonly root: string
}

export interface Listener {
  /** The number of the first record to tell. */
  readonly from: number
  readonly tell: (record: JournalRecord) => void
}

const everyMs = 100
// A part that was just started needs this long to take its lease; later than that, no process means it is dead.
const settleMs = 5000
// The processes of this machine are looked through this often at most.
const lookEveryMs = 1000
// A run that no process here carries out may be another machine's, over a shared folder, as long as it is written to.
const quietMs = 30_000

/**
 * Tells the records of a run.
 * @returns the last
 * @throws NetopsError `partly` when nobody carries it out and it has not ended, `interrupted` when aborted
 */
export async function followRun(followed: Followed, { from, tell }: Listener, signal: AbortSignal): Promise<EndRecord> {
  const { run, runs, root } = followed
  const begun = Date.now()
  const isCarried = carrierOf(followed)
  let seenAtWork = false
  let records: readonly JournalRecord[] = []
  let version: string | undefined
  for (let next = from; ;) {
    // Asked before reading: whoever ends in between has written its end by then.
    const carried = await isCarried(records)
    seenAtWork ||= carried
    const before = version
    version = await versionOf(journalPath(runs, run))
    if (version !== before) records = (await readJournal(runs, run)) ?? []
    for (const record of records.filter(({ seq }) => seq >= next)) {
      tell(record)
      next = record.seq + 1
    }
    const last = records.at(-1)
    if (last?.type === 'end') return last
    const settled = seenAtWork || (Date.now() - begun > settleMs && !isFresh(records))
    if (!carried && settled) {
      throw new NetopsError('partly', {
        message: `nobody is carrying out run ${run}, and it has not ended`,
        hint: `go on with it: ${runsCommand('resume', run, root)}`,
      })
    }
    await pause(run, signal)
  }
}

/** What changes with each record: reading the journal of a long run all the time would keep a processor busy. */
async function versionOf(path: string): Promise<string | undefined> {
  try {
    const { size, mtimeMs } = await stat(path)
    return `${size} ${mtimeMs}`
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}

const isOperators = (records: readonly JournalRecord[]): boolean =>
  records.some((record) => record.type === 'run' && record.procedure !== 'activate')

const isFresh = (records: readonly JournalRecord[]): boolean =>
  isOperators(records) && Date.now() - Date.parse(records.at(-1)?.at ?? '') < quietMs

/**
 * Tells again and again whether a living process carries out a run: a host's part has its host's lease, and whoever carries
 * out an operator's run holds its journal open.
 */
function carrierOf({ root, run, runs }: Followed): (records: readonly JournalRecord[]) => Promise<boolean> {
  let heldUntil = 0
  return async (records) => {
    if (await isCarriedOut(root, run)) return true
    if (!isOperators(records)) return false
    if (Date.now() < heldUntil) return true
    const held = await isOpenForWriting(journalPath(runs, run))
    if (held) heldUntil = Date.now() + lookEveryMs
    return held
  }
}

async function pause(run: string, signal: AbortSignal): Promise<void> {
  try {
    await sleep(everyMs, undefined, { signal })
  } catch (cause) {
    throw new NetopsError('interrupted', { message: `no longer following run ${run}; the run itself goes on`, cause })
  }
}
