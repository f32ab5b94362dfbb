// What a journal says of each step of its plan, kept up to date while the run goes on.
import type { Failure, JournalEntry, JournalRecord } from '../model/journal.ts'
import { partsOf, type Group, type Plan, type Step, type WaitOutcome } from '../model/plan.ts'

/** How far a step has come; undefined before its begin. */
export type Progress =
  'begun' | 'done' | 'unchanged' | 'skipped' | 'blocked' | 'failed' | 'undoing' | 'undone' | 'undo-failed'

type OnStep = Extract<JournalEntry, { step: string; type: Exclude<JournalEntry['type'], 'relayed'> }>

/** The steps of a plan's members, without any group's `always`. */
export const bodyOf = (plan: Plan): readonly Step[] => (plan.kind === 'step' ? [plan] : partsOf(plan).flatMap(bodyOf))

const readOnly = (): never => {
  throw new TypeError('this log is only read')
}

/** Reads and writes the journal's records about steps. */
export class StepLog {
  readonly #append: (entry: JournalEntry) => number
  readonly #progress = new Map<string, Progress>()
  readonly #errors = new Map<string, Failure>()
  readonly #waited = new Map<string, WaitOutcome>()
  readonly #changed = new Set<string>()
  /** Steps that failed because their host could not be reached. */
  readonly #lost = new Set<string>()
  /** The number of the last record about each step. */
  readonly #last = new Map<string, number>()
  /** The number of the last record that says that another process went on; 0 in a run's first process. */
  readonly #resumedAt: number

  /** @param append writes a record and returns its number; a log that is only read has none */
  constructor(records: readonly JournalRecord[], append: (entry: JournalEntry) => number = readOnly) {
    this.#append = append
    for (const record of records) {
      if (!('step' in record)) continue
      this.#last.set(record.step, record.seq)
      if (record.type !== 'relayed') this.#learn(record)
    }
    const resumed = records.findLast((record) => record.type === 'resumed' || record.type === 'undo')
    this.#resumedAt = resumed?.seq ?? 0
  }

  progress(step: Step): Progress | undefined {
    return this.#progress.get(step.id)
  }

  progressOf(id: string): Progress | undefined {
    return this.#progress.get(id)
  }

  /** How its wait ended, where that may be in several ways. */
  waitedOf(id: string): WaitOutcome | undefined {
    return this.#waited.get(id)
  }

  /** Why it failed, or its undo did. */
  errorOf(id: string): Failure | undefined {
    return this.#errors.get(id)
  }

  /** Whether what it did changed the host, and still does. */
  changed(step: Step): boolean {
    return this.#changed.has(step.id)
  }

  /** The number of the last record about any of these steps; 0 without one. */
  lastOf(steps: readonly Step[]): number {
    return steps.reduce((last, { id }) => Math.max(last, this.#last.get(id) ?? 0), 0)
  }

  /** Whether anything of a part of the plan was begun. */
  anyOf(plan: Plan): boolean {
    return this.lastOf(bodyOf(plan)) > 0
  }

  /** Whether what a step does only for as long as a run lasts has ended since: its run was cut off, or cleared up. */
  faded(step: Step, always: readonly Step[]): boolean {
    const done = this.lastOf([step])
    return this.progress(step) === 'done' && (done < this.#resumedAt || done < this.lastOf(always))
  }

  /** Whether undoing it would do anything. */
  canUndo(step: Step): boolean {
    const progress = this.progress(step)
    if (progress === undefined || nothingToUndo.has(progress)) return false
    // A host run that failed has undone itself on its host.
    const itself = progress === 'failed' && step.act.some(({ kind }) => kind === 'host-run')
    // What a host that was lost did of it is not known, and cannot be taken back from here.
    const lost = progress === 'failed' && this.#lost.has(step.id)
    return !itself && !lost && (step.undo.length > 0 || step.undoUntil !== undefined)
  }

  write(entry: OnStep): void {
    this.#last.set(entry.step, this.#append(entry))
    this.#learn(entry)
  }

  /** Counts a step as not begun: it is to be done again. */
  forget(step: Step): void {
    this.#progress.delete(step.id)
  }

  #learn(entry: OnStep): void {
    switch (entry.type) {
      case 'progress':
        return
      case 'begin':
        this.#progress.set(entry.step, 'begun')
        this.#errors.delete(entry.step)
        return
      case 'done':
        if (entry.changed) this.#changed.add(entry.step)
        if (entry.waited !== undefined) this.#waited.set(entry.step, entry.waited)
        break
      case 'failed':
        if (entry.lost === true) this.#lost.add(entry.step)
        this.#errors.set(entry.step, entry.error)
        break
      case 'undo-failed':
        this.#errors.set(entry.step, entry.error)
        break
      case 'undone':
        this.#changed.delete(entry.step)
        break
      case 'unchanged':
      case 'skipped':
      case 'blocked':
      case 'undoing':
        break
    }
    this.#progress.set(entry.step, entry.type)
  }
}

const nothingToUndo = new Set<Progress>(['unchanged', 'skipped', 'blocked', 'undone'])
const finished = new Set<Progress | undefined>(['done', 'unchanged', 'skipped', 'undone', 'undo-failed'])

/** The steps whose effect lasts until a group's `always` steps; those of inner groups with their own do not count. */
export const transientIn = (group: Group): readonly Step[] =>
  group.each.flatMap((member) => {
    if (member.kind === 'step') return member.transient === true ? [member] : []
    return member.always === undefined ? transientIn(member) : []
  })

/**
 * When a run goes on forward, steps whose effect has faded count as not begun, wherever their group has work left; so do
 * those that were not begun for the sake of a step that is tried again.
 * @param failed whether a part of the plan counts as failed
 */
export function forgetFaded(plan: Plan, log: StepLog, failed: (plan: Plan) => boolean): void {
  if (plan.kind === 'step') return
  for (const group of scopesIn(plan)) forgetFaded(group, log, failed)
  // One that is turning back does again what it needs when it undoes.
  if (failed(plan)) return
  const left = bodyOf(plan).some((step) => step.transient !== true && !finished.has(log.progress(step)))
  if (left) for (const step of transientIn(plan)) if (log.faded(step, plan.always ?? [])) log.forget(step)
}

/** The nearest groups below that have an `always` of their own. */
const scopesIn = (group: Group): readonly Group[] =>
  group.each.flatMap((member) => {
    if (member.kind === 'step') return []
    return member.always === undefined ? scopesIn(member) : [member]
  })
