// A run's journal on disk: each record is on the disk before the run goes on.
import { closeSync, fsyncSync, ftruncateSync, openSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { NetopsError } from '../model/errors.ts'
import {
  journalRecord,
  type EndRecord,
  type Hooks,
  type JournalEntry,
  type JournalRecord,
  type RunRecord,
} from '../model/journal.ts'
import { canonicalJson } from '../model/json.ts'
import type { Plan } from '../model/plan.ts'
import { putAside, type StateSource } from '../model/state-text.ts'
import { sha256OfText, syncFolder } from '../system/files.ts'
import { makeStateFolder, mostOfAJournal, readStateBytes } from '../system/state-file.ts'

/** Sees each record; `before` it is written, or `after` it is safe. Tests use it to die at a chosen line. */
export type JournalObserver = (record: JournalRecord, when: 'before' | 'after') => void

export const journalPath = (runs: string, run: string): string => join(runs, run, 'journal.jsonl')

const newline = 0x0a

/**
 * Splits a journal into records and says how many bytes hold whole lines; a torn last line is left out. Counted in the bytes
 * that are there: a byte that a disk flipped may be no text, and become three when it is read as one.
 */
export function parseJournal(bytes: Uint8Array, path: string): { records: JournalRecord[]; wholeBytes: number } {
  const wholeBytes = bytes.lastIndexOf(newline) + 1
  return { records: parseLines(bytes.subarray(0, wholeBytes), { first: 1, path }), wholeBytes }
}

/** The records in whole lines of a journal, of which the first has to have this number. */
export function parseLines(lines: Uint8Array, { first, path }: { first: number; path: string }): JournalRecord[] {
  const records: JournalRecord[] = []
  for (let at = 0; at < lines.length;) {
    const end = lines.indexOf(newline, at)
    records.push(parseRecord(Buffer.from(lines.subarray(at, end)).toString('utf8'), first + records.length, path))
    at = end + 1
  }
  return records
}

/**
 * The record in one line of a journal.
 * @param number which it has to be, from 1
 * @throws NetopsError `refused` for a line that is none, or not that one
 */
function parseRecord(line: string, number: number, path: string): JournalRecord {
  try {
    const record = journalRecord.parse(JSON.parse(line))
    if (record.seq !== number) throw new Error(`record ${number} is numbered ${record.seq}`)
    return record
  } catch (cause) {
    throw new NetopsError('refused', {
      message: `${path}:${number}: not a journal record that this netops understands`,
      hint: `${wayOut(dirname(path))}; a newer netops may understand it: those of a host lie in /opt/network_system/netops`,
      cause,
    })
  }
}

/** The last whole line in the end of a journal; a torn one after it is left out. */
export const lastWholeLine = (end: string): string | undefined =>
  end
    .slice(0, end.lastIndexOf('\n') + 1)
    .split('\n')
    .findLast((line) => line !== '')

/** What can be done about a run whose journal cannot be read: nothing can go on with it, or take it back. */
const wayOut = (folder: string): string => `look at what it left with netops status, then ${putAside(folder)}`

/** A run's journal as a state file. */
export const journalSource = (path: string): StateSource => ({ path, hint: wayOut(dirname(path)) })

/**
 * A run's records as they are on the disk, or undefined where there is no such run.
 * @throws NetopsError `refused` for a line that is no record, `damaged` where there is no file to read
 */
export async function readJournal(runs: string, run: string): Promise<readonly JournalRecord[] | undefined> {
  const path = journalPath(runs, run)
  const bytes = await readStateBytes(journalSource(path), mostOfAJournal)
  return bytes === undefined ? undefined : parseJournal(bytes, path).records
}

/** What a run begins with. */
export interface Beginning extends Omit<Extract<JournalEntry, { type: 'run' }>, 'type' | 'planSha256' | 'hooks'> {
  readonly hooks?: Hooks | undefined
}

/** Writes a run's first record. */
export function begin(journal: Journal, { hooks, ...beginning }: Beginning): void {
  const planSha256 = planHash(beginning.plan)
  journal.append({ type: 'run', ...beginning, planSha256, ...(hooks === undefined ? {} : { hooks }) })
}

/** How far a run has come, from its records. */
export interface RunState {
  readonly start: RunRecord | undefined
  /** Its last end, unless it went on after it. */
  readonly end: EndRecord | undefined
  /** Whether it goes forward or, since somebody said so, back. */
  readonly direction: 'forward' | 'back'
  readonly records: readonly JournalRecord[]
}

export function runState(records: readonly JournalRecord[]): RunState {
  const last = records.findLast((record) => record.type === 'end' || record.type === 'undo')
  return {
    start: records.find((record) => record.type === 'run'),
    end: last?.type === 'end' ? last : undefined,
    direction: records.some((record) => record.type === 'undo') ? 'back' : 'forward',
    records,
  }
}

/** A plan's hash, whatever the order in which its fields were written. */
export const planHash = (plan: Plan): string => sha256OfText(canonicalJson(plan))

/**
 * The beginning of a run that is to go on.
 * @throws NetopsError `refused` when there is none, or its plan is not the one that was begun
 */
export function requireStart(run: string, { start }: RunState): RunRecord {
  if (start === undefined) {
    throw new NetopsError('refused', { message: `run ${run} ended before it began: there is nothing to go on with` })
  }
  if (planHash(start.plan) === start.planSha256) return start
  throw new NetopsError('refused', {
    message: `the plan in the journal of run ${run} is not the one that was begun: its hash is ${planHash(start.plan)}`,
    hint: 'somebody changed the journal; look at the host with netops status, and start a new run',
  })
}

/** Writes one run's journal. Only the process that carries out the run holds one. */
export class Journal {
  readonly records: JournalRecord[]
  readonly #file: number
  readonly #now: () => Date
  readonly #observe: JournalObserver
  #bytes: number

  private constructor(file: number, whole: ReturnType<typeof parseJournal>, outside: JournalOutside) {
    this.#file = file
    this.#bytes = whole.wholeBytes
    this.records = whole.records
    this.#now = outside.now
    this.#observe = outside.observe
  }

  /** Opens a run's journal to go on with it; makes it where there is none. Cuts off a line that a crash left unfinished. */
  static async open(runs: string, run: string, outside: JournalOutside): Promise<Journal> {
    const path = journalPath(runs, run)
    await makeStateFolder(dirname(path))
    const bytes = (await readStateBytes(journalSource(path), mostOfAJournal)) ?? Buffer.alloc(0)
    const whole = parseJournal(bytes, path)
    const file = openSync(path, 'a', 0o600)
    try {
      if (whole.wholeBytes < bytes.length) {
        ftruncateSync(file, whole.wholeBytes)
        fsyncSync(file)
      }
      await syncFolder(dirname(path))
      await syncFolder(runs)
      return new Journal(file, whole, outside)
    } catch (error) {
      closeSync(file)
      throw error
    }
  }

  /**
   * Numbers, stamps and writes a record; it is on the disk when this returns, unless it only tells how far something is.
   * @returns its number
   */
  append(entry: JournalEntry): number {
    const record = {
      netops: 1,
      seq: this.records.length + 1,
      at: this.#now().toISOString(),
      ...entry,
    } as JournalRecord
    this.#observe(record, 'before')
    const line = `${JSON.stringify(record)}\n`
    try {
      writeFileSync(this.#file, line, { flush: entry.type !== 'progress' })
    } catch (error) {
      // A full disk may have taken half of it; the next record must not be joined to that.
      ftruncateSync(this.#file, this.#bytes)
      throw error
    }
    this.#bytes += Buffer.byteLength(line)
    this.records.push(record)
    this.#observe(record, 'after')
    return record.seq
  }

  close(): void {
    closeSync(this.#file)
  }
}

export interface JournalOutside {
  readonly now: () => Date
  readonly observe: JournalObserver
}
