// One run of a plan: its groups and steps, forward and back, as far as the journal says that they are not done yet.
import { joinOutcomes, type Outcome } from '../model/errors.ts'
import type { Failure } from '../model/failure.ts'
import { addPushed, isLasting, type OwnRecord, type Pushed } from '../model/journal.ts'
import type { Json } from '../model/json.ts'
import { wavesOf, type Group, type Plan, type Step } from '../model/plan.ts'
import {
  afterUndo,
  failedBefore,
  failureIn,
  fine,
  halted,
  holds,
  isExceeded,
  isOutOfReach,
  isResumable,
  joinBranches,
  joinUndone,
  lostBefore,
  nothingUndone,
  openedBy,
  openUndone,
  outOfTouch,
  withFailures,
  type Acted,
  type Branch,
  type Cleared,
  type Undone,
} from './branch.ts'
import { hasFailed, judge } from './conditions.ts'
import type { Executor, StepReport } from './executor.ts'
import { Halt, Halted, unstoppable, type Control } from './halt.ts'
import type { Journal } from './journal.ts'
import { policiesIn, pooled, type LostPolicy } from './pool.ts'
import { bodyOf, forgetFaded, StepLog, transientIn } from './steps.ts'
import { waitUntil } from './wait.ts'

/** Carries out a plan by its journal. */
export class Execution {
  readonly #journal: Journal
  readonly #executor: Executor
  readonly #control: Control
  readonly #log: StepLog
  readonly #plan: Plan
  /** What becomes of each step whose host is lost. */
  readonly #policies: ReadonlyMap<string, LostPolicy>
  /** What lasts only while a run does. */
  readonly #transient: ReadonlySet<string>
  /** Why steps did not get to their hosts, in this process. */
  readonly #lost = new Map<string, Failure>()
  /** The last record that each step's host run has told, and will not take back. */
  readonly #relayed: Map<string, OwnRecord>

  constructor(plan: Plan, journal: Journal, executor: Executor, control: Control) {
    this.#plan = plan
    this.#journal = journal
    this.#executor = executor
    this.#control = control
    this.#log = new StepLog(journal.records, (entry) => journal.append(entry))
    this.#policies = policiesIn(plan)
    this.#transient = new Set(bodyOf(plan).flatMap(({ id, transient }) => (transient === true ? [id] : [])))
    this.#relayed = new Map(
      journal.records.flatMap((one) =>
        one.type === 'relayed' && isLasting(one.record) ? [[one.step, one.record] as const] : [],
      ),
    )
  }

  /** Goes on with the plan from where the journal ends. */
  async forward(): Promise<Branch> {
    forgetFaded(this.#plan, this.#log, (part) => hasFailed(part, this.#log))
    return this.#node(this.#plan, new Halt(this.#control))
  }

  /** Takes the whole plan back, down to its last steps that commit; `why` is what the end is called. */
  async back(why: Outcome): Promise<Branch> {
    const undone = await this.#undoNode(this.#plan)
    const open = openUndone(undone)
    if (open !== undefined) return open
    const { count, failures, barrier } = undone
    // Every host refused: nothing was touched, and the refusal is the answer.
    const refused = count === 0 && failures.length > 0 && failures.every(({ code }) => code === 'refused')
    const kept = barrier || failures.length > 0
    return { state: 'failed', outcome: refused ? 'refused' : kept ? 'partly' : why, changed: kept, failures }
  }

  async #node(plan: Plan, halt: Halt): Promise<Branch> {
    return plan.kind === 'step' ? this.#step(plan, halt) : this.#group(plan, halt)
  }

  // ---- steps

  async #step(step: Step, halt: Halt): Promise<Branch> {
    const before = this.#log.progress(step)
    if (before === 'done' || before === 'unchanged' || before === 'skipped') return fine(this.#log.changed(step))
    if (before !== undefined && before !== 'begun' && before !== 'blocked') return this.#turnedBack(step)
    if (halt.reason !== undefined) return this.#stopped(step, halt)
    const stopper = before === undefined || before === 'blocked' ? this.#unmet(step) : undefined
    if (stopper !== undefined) return stopper
    if (step.unchanged === true) {
      this.#log.write({ type: 'unchanged', step: step.id })
      return fine(false)
    }
    if (step.impossible !== undefined) {
      this.#log.write({ type: 'failed', step: step.id, error: step.impossible })
      return this.#turnedBack(step)
    }
    try {
      this.#log.write({ type: 'begin', step: step.id })
      const acted = await this.#act(step, halt)
      this.#log.write({ type: 'done', step: step.id, ...acted })
      return fine(acted.changed)
    } catch (thrown) {
      if (thrown instanceof Halted) return this.#stopped(step, halt)
      const error = failureIn(thrown, step)
      const lost = isOutOfReach(thrown)
      // The host is out of reach, or the operator left: nothing more can be known or undone from here.
      if (isResumable(thrown) && !(lost && this.#policies.get(step.id) === 'fail')) {
        if (lost) this.#lost.set(step.id, error)
        return { state: 'open', outcome: error.code, changed: false, failures: [error], ...(lost ? { lost } : {}) }
      }
      this.#log.write({ type: 'failed', step: step.id, error, ...(lost ? { lost } : {}) })
      return this.#turnedBack(step)
    }
  }

  /** What becomes of a step whose condition does not hold; undefined where it holds. */
  #unmet(step: Step): Branch | undefined {
    const verdict = judge(step.when, this.#log)
    switch (verdict.is) {
      case 'met':
        return undefined
      case 'pending':
        return lostBefore
      case 'skip':
        this.#log.write({ type: 'skipped', step: step.id })
        return fine(false)
      case 'failed':
        if (this.#log.progress(step) !== 'blocked') this.#log.write({ type: 'blocked', step: step.id })
        return failedBefore(verdict.outcome)
    }
  }

  /** Applies the effects and waits. */
  async #act(step: Step, halt: Halt): Promise<Acted> {
    let pushed: Pushed | undefined
    let result: Json | undefined
    let changed = false
    const report: StepReport = {
      ...this.#report(step),
      pushed: (sent) => (pushed = addPushed(pushed, sent)),
      result: (value) => (result = value),
    }
    for (const effect of step.act) {
      const did = await this.#executor.apply(step.host, effect, report)
      changed = did || changed
    }
    const ended =
      step.until === undefined ? undefined : await waitUntil(this.#executor, step.host, step.until, halt.signal)
    return {
      changed,
      ...(pushed === undefined ? {} : { pushed }),
      ...(result === undefined ? {} : { result }),
      ...(ended === undefined || step.until?.onDeadline !== 'go-on' ? {} : { waited: ended }),
    }
  }

  #stopped(step: Step, halt: Halt): Branch {
    if (halt.reason !== 'stop') return halted
    const begun = this.#log.progress(step) === 'begun' ? 'during' : 'before'
    const message = `stopped by the operator ${begun} "${step.title}"`
    const failure: Failure = { code: 'interrupted', message, host: step.host, step: step.id }
    return { state: 'open', outcome: 'interrupted', changed: false, failures: [failure] }
  }

  #turnedBack(step: Step): Branch {
    const error = this.#log.errorOf(step.id)
    // Without an error of its own it was undone because another failed, which names the reason.
    if (error === undefined) return { ...halted, outcome: 'failed' }
    return { state: 'failed', outcome: error.code, changed: error.code === 'partly', failures: [error] }
  }

  // ---- groups

  async #group(group: Group, halt: Halt): Promise<Branch> {
    if (!this.#log.anyOf(group) && halt.reason === undefined) {
      const verdict = judge(group.when, this.#log)
      if (verdict.is === 'pending') return lostBefore
      if (verdict.is === 'failed') return failedBefore(verdict.outcome)
      if (verdict.is === 'skip') return fine(false)
    } else if (this.#isOutOfTouch(group)) return lostBefore
    let branch = await this.#members(group, halt)
    // Whoever halted it takes it back first and clears up after that.
    if (halt.reason === 'undo') return branch.state === 'open' ? branch : halted
    if (branch.state === 'halted') return branch
    if (branch.state === 'failed' && group.onFailure === 'undo') branch = await this.#undoGroup(group, branch)
    const { failures, lost } = await this.#clearUp(group)
    const whole = withFailures(branch, failures)
    return openedBy(whole, lost)
  }

  /** Whether a group that has work left needs something that lasts only while a run does, and that is not there now. */
  #isOutOfTouch({ when, ...group }: Group): boolean {
    const isTransient = when !== undefined && this.#transient.has(when.step)
    if (!isTransient || judge(when, this.#log).is === 'met') return false
    return bodyOf(group).some((step) => !this.#isOver(step))
  }

  #isOver(step: Step): boolean {
    const progress = this.#log.progress(step)
    return progress !== undefined && progress !== 'begun' && progress !== 'undoing'
  }

  /** Runs the members that are to be run, and joins how they came out. */
  async #members(group: Group, halt: Halt): Promise<Branch> {
    const { halt: own, stopSiblings } = halt.below()
    // A run that was turning back when it was cut off goes on turning back, and begins nothing else.
    const turning = hasFailed(group, this.#log)
    const results: Branch[] = []
    const sequential = group.mode === 'sequence'
    const isHeld = (): boolean => results.some((result) => holds(result, group))
    // What is to be kept is finished wherever it was begun.
    const isLeft = (member: Plan): boolean =>
      group.onFailure === 'undo' ? hasFailed(member, this.#log) : this.#log.anyOf(member)
    const run = async (member: Plan): Promise<void> => {
      if (sequential && isHeld()) return
      if (!turning && results.some(({ state }) => state === 'halted')) return
      const enough = isExceeded(results, group, this.#failing(group, results))
      if (!turning && enough && (group.onFailure === 'undo' || !isLeft(member))) return
      let result = await this.#node(member, own)
      const takesBackAll = isExceeded([...results, result], group) && group.onFailure === 'undo'
      // A group that failed has undone itself; a step has nobody else to do it.
      if (result.state === 'failed' && member.kind === 'step' && !takesBackAll)
        result = await this.#undoBare(member, result)
      results.push(result)
      if (takesBackAll) stopSiblings()
    }
    for (const { members, after } of wavesOf(group)) {
      await pooled(turning ? members.filter(isLeft) : members, sequential ? 1 : group.limit, run)
      if (after === undefined || turning) continue
      if (isHeld() || isExceeded(results, group)) break
      const between = await this.#step(after, own)
      if (between.state === 'failed') return joinBranches([...results, between], { ...group, maxFailures: -1 })
      if (between.state !== 'done') return joinBranches([...results, between], group)
    }
    return joinBranches(results, group)
  }

  /** How many members have failed and are still taking back what they did: they count from the moment of their failure. */
  #failing(group: Group, results: readonly Branch[]): number {
    const failed = group.each.filter((member) => hasFailed(member, this.#log)).length
    return Math.max(0, failed - results.filter(({ state }) => state === 'failed').length)
  }

  /** Undoes what ran, last first, back to the last step that commits. */
  async #undoGroup(group: Group, failed: Branch): Promise<Branch> {
    const again = await this.#redoTransient(group)
    const undone = again === undefined ? await this.#undoMembers(group) : { ...nothingUndone, lost: [again] }
    const open = openUndone(undone, failed.failures)
    if (open !== undefined) return open
    const kept = undone.barrier || undone.failures.length > 0
    // What members changed is put back now; only what failed says how it ends.
    const joined = joinOutcomes(failed.failures.map(({ code }) => ({ outcome: code, changed: false })))
    const cause = joined === 'done' ? failed.outcome : joined
    const outcome = kept ? 'partly' : undone.count === 0 ? cause : afterUndo(cause, undone.restored)
    return { state: 'failed', outcome, changed: kept, failures: [...failed.failures, ...undone.failures] }
  }

  /** Undoes a step that failed in a group that goes on without it, or keeps what finished. */
  async #undoBare(step: Step, failed: Branch): Promise<Branch> {
    const { count, restored, failures, lost } = await this.#undoNode(step)
    if (lost.length > 0) return openedBy(failed, lost)
    const kept = failures.length > 0
    const outcome = kept ? 'partly' : count === 0 ? failed.outcome : afterUndo(failed.outcome, restored)
    return { state: 'failed', outcome, changed: kept, failures: [...failed.failures, ...failures] }
  }

  // ---- back

  async #undoNode(plan: Plan): Promise<Undone> {
    if (plan.kind === 'step') return this.#undoStep(plan)
    const lacking = this.#lacksForUndo(plan) ? (this.#lost.get(plan.when?.step ?? '') ?? outOfTouch(plan)) : undefined
    if (lacking !== undefined) return { ...nothingUndone, lost: [lacking] }
    const again = await this.#redoTransient(plan)
    if (again !== undefined) return { ...nothingUndone, lost: [again] }
    const undone = await this.#undoMembers(plan)
    const cleared = await this.#clearUp(plan)
    return joinUndone(undone, { ...nothingUndone, ...cleared })
  }

  /** Whether a group with something to undo needs what lasts only while a run does, and that could not be done again. */
  #lacksForUndo(group: Group): boolean {
    const { when } = group
    if (when === undefined || !this.#transient.has(when.step) || judge(when, this.#log).is === 'met') return false
    return bodyOf(group).some((step) => this.#log.canUndo(step))
  }

  async #undoMembers(group: Group): Promise<Undone> {
    let sum = nothingUndone
    const sequential = group.mode === 'sequence'
    const undo = async (member: Plan): Promise<void> => {
      if (sequential && (sum.barrier || (sum.lost.length > 0 && group.onLost !== 'park'))) return
      const undone = await this.#undoNode(member)
      sum = joinUndone(sum, undone)
    }
    for (const { members, after } of wavesOf(group).toReversed()) {
      if (after !== undefined) await undo(after)
      await pooled(members.toReversed(), sequential ? 1 : group.limit, undo)
    }
    return sum
  }

  async #undoStep(step: Step): Promise<Undone> {
    const before = this.#log.progress(step)
    if (before === 'done' && step.commits === true) return { ...nothingUndone, barrier: true }
    const restored = step.undoUntil?.probe.kind === 'ready'
    if (before === 'undone') return { ...nothingUndone, count: 1, restored }
    if (!this.#log.canUndo(step)) return nothingUndone
    try {
      this.#log.write({ type: 'undoing', step: step.id })
      for (const effect of step.undo)
        await this.#executor.apply(step.host, effect, { ...this.#report(step), undoing: true })
      // An undo is carried through: only its own deadline ends its wait.
      if (step.undoUntil !== undefined) await waitUntil(this.#executor, step.host, step.undoUntil, unstoppable.stop)
      this.#log.write({ type: 'undone', step: step.id })
      return { ...nothingUndone, count: 1, restored }
    } catch (thrown) {
      const cause = failureIn(thrown, step)
      if (isResumable(thrown) && !(isOutOfReach(thrown) && this.#policies.get(step.id) === 'fail')) {
        return { ...nothingUndone, lost: [cause] }
      }
      const message = `undoing "${step.title}" failed: ${cause.message}`
      const code = cause.code === 'refused' ? 'refused' : 'partly'
      const error: Failure = { ...cause, code, message }
      this.#log.write({ type: 'undo-failed', step: step.id, error })
      return { ...nothingUndone, count: code === 'refused' ? 0 : 1, failures: [error] }
    }
  }

  /** Does again what faded, before a group is taken back; returns why it cannot be, if so. */
  async #redoTransient(group: Group): Promise<Failure | undefined> {
    if (!bodyOf(group).some((step) => this.#log.canUndo(step))) return undefined
    const isGone = (step: Step): boolean =>
      this.#log.progress(step) === 'begun' || this.#log.faded(step, group.always ?? [])
    for (const step of transientIn(group).filter(isGone)) {
      this.#log.forget(step)
      const branch = await this.#step(step, new Halt(unstoppable))
      // Whoever depends on a host that is lost waits for it; the others are taken back.
      if (branch.state === 'done' || (branch.lost === true && this.#policies.get(step.id) === 'park')) continue
      return branch.failures[0] ?? { code: 'failed', message: `"${step.title}" failed` }
    }
    return undefined
  }

  // ---- always

  /**
   * Runs a group's `always` steps, if anything of the group was begun. Each is tried whatever happened to the others; one
   * that was done before the last step of its group is done again, and one whose condition does not hold is left out.
   */
  async #clearUp(group: Group): Promise<Cleared> {
    const last = this.#log.lastOf(bodyOf(group))
    if (group.always === undefined || last === 0) return { failures: [], lost: [] }
    const cleared = { failures: [] as Failure[], lost: [] as Failure[] }
    const byHost = Object.values(Object.groupBy(group.always, ({ host }) => host))
    await pooled(byHost, undefined, async (steps) => {
      for (const step of steps ?? []) {
        if (this.#log.progress(step) === 'done' && this.#log.lastOf([step]) > last) continue
        if (judge(step.when, this.#log).is !== 'met') continue
        try {
          this.#log.write({ type: 'begin', step: step.id })
          this.#log.write({ type: 'done', step: step.id, ...(await this.#act(step, new Halt(unstoppable))) })
        } catch (thrown) {
          const error = failureIn(thrown, step)
          if (isResumable(thrown)) cleared.lost.push(error)
          else {
            this.#log.write({ type: 'failed', step: step.id, error })
            cleared.failures.push(error)
          }
        }
      }
    })
    return cleared
  }

  #report(step: Step): StepReport {
    return {
      step: step.id,
      last: this.#relayed.get(step.id),
      pass: (record) => {
        if (isLasting(record)) this.#relayed.set(step.id, record)
        return this.#journal.append({ type: 'relayed', step: step.id, record })
      },
      progress: (done, of, unit) =>
        this.#log.write({ type: 'progress', step: step.id, done, of, ...(unit === undefined ? {} : { unit }) }),
      pushed: () => undefined,
      result: () => undefined,
    }
  }
}
