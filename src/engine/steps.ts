// What a journal says of each step of its plan, kept up to date while the run goes on.
import type { Failure, JournalEntry, JournalRecord } from '../model/journal.ts'
import type { Group, Plan, Step } from '../model/plan.ts'

/** How far a step has come; undefined before its begin. */
export type Progress = 'begun' | 'done' | 'unchanged' | 'failed' | 'undoing' | 'undone' | 'undo-failed'

type OnStep = Extract<JournalEntry, { step: string; type: Exclude<JournalEntry['type'], 'relayed'> }>

/** The steps of a plan's members, without any group's `always`. */
export const bodyOf = (plan: Plan): readonly Step[] => (plan.kind === 'step' ? [plan] : plan.each.flatMap(bodyOf))

const readOnly = (): never => {
  throw new TypeError('this log is only read')
}

/** Reads and writes the journal's records about steps. */
export class StepLog {
  readonly #append: (entry: JournalEntry) => number
  readonly #progress = new Map<string, Progress>()
  readonly #errors = new Map<string, Failure>()
  readonly #changed = new Set<string>()
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

  /** Why it failed, or its undo did. */
  error(step: Step): Failure | undefined {
    return this.#errors.get(step.id)
  }

  /** Whether what it did changed the host, and still does. */
  changed(step: Step): boolean {
    return this.#changed.has(step.id)
  }

  /** The number of the last record about any of these steps; 0 without one. */
  lastOf(steps: readonly Step[]): number {
    return Math.max(0, ...steps.map(({ id }) => this.#last.get(id) ?? 0))
  }

  /** Whether a part of the plan counts as failed: a group does when more of its members failed than it tolerates. */
  failed(plan: Plan): boolean {
    if (plan.kind === 'step') return this.#errors.has(plan.id)
    return plan.each.filter((member) => this.failed(member)).length > plan.maxFailures
  }

  /** Whether what a step does only for as long as a run lasts has ended since: its run was cut off, or cleared up. */
  faded(step: Step, always: readonly Step[]): boolean {
    const done = this.lastOf([step])
    return this.progress(step) === 'done' && (done < this.#resumedAt || done < this.lastOf(always))
  }

  /** Whether undoing it would do anything. */
  canUndo(step: Step): boolean {
    const progress = this.progress(step)
    if (progress === undefined || progress === 'unchanged' || progress === 'undone') return false
    // A job that failed has undone itself on its host.
    const itself = progress === 'failed' && step.act.some(({ kind }) => kind === 'job')
    return !itself && (step.undo.length > 0 || step.undoUntil !== undefined)
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
      case 'begin':
        this.#progress.set(entry.step, 'begun')
        this.#errors.delete(entry.step)
        return
      case 'retry':
        return
      case 'done':
        if (entry.changed) this.#changed.add(entry.step)
        break
      case 'failed':
      case 'undo-failed':
        this.#errors.set(entry.step, entry.error)
        break
      case 'undone':
        this.#changed.delete(entry.step)
        break
      case 'unchanged':
      case 'undoing':
        break
    }
    this.#progress.set(entry.step, entry.type)
  }
}

const finished = new Set<Progress | undefined>(['done', 'unchanged', 'undone', 'undo-failed'])

/** The steps whose effect lasts until a group's `always` steps; those of inner groups with their own do not count. */
export const renewedIn = (group: Group): readonly Step[] =>
  group.each.flatMap((member) => {
    if (member.kind === 'step') return member.renews === true ? [member] : []
    return member.always === undefined ? renewedIn(member) : []
  })

/** When a run goes on forward, steps whose effect has faded count as not begun, wherever their group has work left. */
export function forgetFaded(plan: Plan, log: StepLog): void {
  if (plan.kind === 'step') return
  for (const member of plan.each) if (member.kind === 'group' && member.always !== undefined) forgetFaded(member, log)
  // One that is turning back renews what it needs when it undoes.
  if (log.failed(plan)) return
  const left = bodyOf(plan).some((step) => step.renews !== true && !finished.has(log.progress(step)))
  if (left) for (const step of renewedIn(plan)) if (log.faded(step, plan.always ?? [])) log.forget(step)
}
