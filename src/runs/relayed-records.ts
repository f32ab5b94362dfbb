// What a host tells of its run is read as any input from outside: each record is the next one, of that run, of that host alone.
import { NetopsError } from '../model/errors.ts'
import { parseOwnRecord, type OwnRecord } from '../model/journal.ts'
import { stepsOf } from '../model/plan.ts'

/** One record holds the facts and the plan, another what work came to. In bytes. */
export const longestRecord = 4 * 2 ** 20
// All others say that something was begun or done, or why it failed. In characters.
const longestOther = 64 * 1024
// All that a run tells: it is kept in the journal of whoever follows.
const mostOfRun = 64 * 2 ** 20

/** Which records are to come. */
export interface Expected {
  readonly host: string
  readonly run: string
  /** The number of the first. */
  readonly from: number
}

/** Reads the lines of a host's journal as they come. */
export class RelayedRecords {
  readonly #expected: Expected
  #next: number
  #came = 0
  /** The steps of its plan; undefined where that was told before. */
  #steps: ReadonlySet<string> | undefined

  constructor(expected: Expected) {
    this.#expected = expected
    this.#next = expected.from
  }

  /**
   * The record in a line; undefined for what a login shell says before the first.
   * @throws NetopsError `damaged` for a record that was not asked for
   */
  read(line: string): OwnRecord | undefined {
    this.#came += line.length + 1
    if (this.#came > mostOfRun) throw this.#refuse(`comes when ${mostOfRun} characters of them had come already`)
    if (!line.startsWith('{"netops":1,')) return undefined
    const record = parsed(line)
    if (record === undefined) throw this.#refuse('is none that this netops understands')
    if (line.length > longestOther && record.type !== 'run' && record.type !== 'done')
      throw this.#refuse(`has ${line.length} characters, of at most ${longestOther}`)
    if (record.seq !== this.#next) throw this.#refuse(`is numbered ${record.seq}`)
    if (record.type === 'run') this.#begin(record)
    else if (record.type === 'hook') throw this.#refuse('is about a hook, of which a host has none')
    else if ('step' in record && this.#steps?.has(record.step) === false)
      throw this.#refuse('is about a step that its plan does not have')
    this.#next += 1
    return record
  }

  #begin({ run, plan, seq }: Extract<OwnRecord, { type: 'run' }>): void {
    const { host } = this.#expected
    if (seq !== 1) throw this.#refuse('begins the run anew')
    if (run !== this.#expected.run) throw this.#refuse('is of another run')
    const steps = stepsOf(plan)
    if (steps.some((step) => step.host !== host)) throw this.#refuse('has steps on other hosts')
    this.#steps = new Set(steps.map(({ id }) => id))
  }

  #refuse(why: string): NetopsError {
    const { host, run } = this.#expected
    return new NetopsError('damaged', {
      host,
      resumable: true,
      message: `what the host tells of run ${run} is not to be trusted: record ${this.#next} ${why}`,
      hint: `look at the host itself: netops status --hosts ${host}; what it did of the run is not known`,
    })
  }
}

function parsed(line: string): OwnRecord | undefined {
  try {
    return parseOwnRecord(line)
  } catch {
    // Whatever is wrong with it, the host wrote it: its words would say more of the host than of the fault.
    return undefined
  }
}
