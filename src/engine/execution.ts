// One run of a plan: its groups and steps, forward and back, as far as the journal says that they are not done yet.
import { joinOutcomes, locate, NetopsError, type Outcome } from '../model/errors.ts'
import { addPushed, type Failure, type Pushed } from '../model/journal.ts'
import type { Group, Plan, Step } from '../model/plan.ts'
import { Halt, Halted, unstoppable, type Control } from './halt.ts'
import type { Journal } from './journal.ts'
import { bodyOf, forgetFaded, renewedIn, StepLog } from './steps.ts'
import { waitUntil } from './wait.ts'
import type { Relay, World } from './world.ts'

/** How a part of a plan came out. */
export interface Branch {
  /** `halted`: stopped for a reason that is not its own. `open`: it can go on later. */
  readonly state: 'done' | 'failed' | 'halted' | 'open'
  readonly outcome: Outcome
  /** Whether something was changed and the change was kept. */
  readonly changed: boolean
  readonly failures: readonly Failure[]
}

const fine = (changed: boolean): Branch => ({ state: 'done', outcome: 'done', changed, failures: [] })
const halted: Branch = { state: 'halted', outcome: 'interrupted', changed: false, failures: [] }

/** What undoing a part of a plan came to. */
interface Undone {
  /** How many steps were taken back. */
  readonly count: number
  /** Whether a service was put back and seen to be healthy. */
  readonly restored: boolean
  readonly failures: readonly Failure[]
  /** A step that commits was done: nothing before it may be undone. */
  readonly barrier: boolean
  /** Set when a host was lost meanwhile, so that a resume has to go on. */
  readonly lost?: Failure
}

/** What the `always` steps of a group came to. */
interface Cleared {
  readonly failures: readonly Failure[]
  /** Set when a host could not be reached for it, so that a resume has to go on. */
  readonly lost?: { readonly lost: Failure }
}

/** What the effects of a step came to. */
interface Acted {
  /** Whether the host was changed. */
  readonly changed: boolean
  readonly pushed: Pushed | undefined
}

const nothingUndone: Undone = { count: 0, restored: false, failures: [], barrier: false }

/** Carries out a plan by its journal. */
export class Execution {
  readonly #journal: Journal
  readonly #world: World
  readonly #control: Control
  readonly #log: StepLog

  constructor(journal: Journal, world: World, control: Control) {
    this.#journal = journal
    this.#world = world
    this.#control = control
    this.#log = new StepLog(journal.records, (entry) => journal.append(entry))
  }

  /** Goes on with the plan from where the journal ends. */
  async forward(plan: Plan): Promise<Branch> {
    forgetFaded(plan, this.#log)
    return this.#node(plan, new Halt(this.#control))
  }

  /** Takes the whole plan back, down to its last steps that commit; `why` is what the end is called. */
  async back(plan: Plan, why: Outcome): Promise<Branch> {
    const { count, failures, barrier, lost } = await this.#undoNode(plan)
    if (lost !== undefined) return { state: 'open', outcome: lost.code, changed: true, failures: [lost, ...failures] }
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
    if (before === 'done' || before === 'unchanged') return fine(this.#log.changed(step))
    if (before !== undefined && before !== 'begun') return this.#turnedBack(step)
    if (halt.reason !== undefined) return this.#stopped(step, halt)
    if (step.unchanged === true) {
      this.#log.write({ type: 'unchanged', step: step.id })
      return fine(false)
    }
    try {
      this.#log.write({ type: 'begin', step: step.id })
      const { changed, pushed } = await this.#act(step, halt)
      this.#log.write({ type: 'done', step: step.id, changed, ...(pushed === undefined ? {} : { pushed }) })
      return fine(changed)
    } catch (thrown) {
      if (thrown instanceof Halted) return this.#stopped(step, halt)
      const error = failureOf(thrown, step)
      // The host is out of reach, or the operator left: nothing more can be known or undone from here.
      if (isResumable(thrown)) return { state: 'open', outcome: error.code, changed: false, failures: [error] }
      this.#log.write({ type: 'failed', step: step.id, error })
      return this.#turnedBack(step)
    }
  }

  /** Applies the effects and waits, as often as the step allows. */
  async #act(step: Step, halt: Halt): Promise<Acted> {
    let pushed: Pushed | undefined
    const count = (sent: Pushed): void => {
      pushed = addPushed(pushed, sent)
    }
    for (let attempt = 1; ; attempt += 1) {
      try {
        let changed = false
        for (const effect of step.act) {
          const did = await this.#world.apply(step.host, effect, this.#relay(step, count))
          changed = did || changed
        }
        if (step.until !== undefined) await waitUntil(this.#world, step.host, step.until, halt.signal)
        return { changed, pushed }
      } catch (thrown) {
        if (step.retry === undefined || attempt >= step.retry.attempts || !mayRetry(thrown)) throw thrown
        this.#log.write({ type: 'retry', step: step.id, attempt, error: failureOf(thrown, step) })
        await this.#world.sleep(step.retry.delayMs, halt.signal)
        if (halt.reason !== undefined) throw new Halted()
      }
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
    const error = this.#log.error(step)
    // Without an error of its own it was undone because another failed, which names the reason.
    if (error === undefined) return { ...halted, outcome: 'failed' }
    return { state: 'failed', outcome: error.code, changed: error.code === 'partly', failures: [error] }
  }

  // ---- groups

  async #group(group: Group, halt: Halt): Promise<Branch> {
    let branch = await this.#members(group, halt)
    // Whoever halted it takes it back first and clears up after that.
    if (halt.reason === 'undo') return branch.state === 'open' ? branch : halted
    if (branch.state === 'halted') return branch
    if (branch.state === 'failed' && group.onFailure === 'undo') branch = await this.#undoGroup(group, branch)
    const { failures, lost } = await this.#clearUp(group)
    const whole = withFailures(branch, failures)
    return lost === undefined ? whole : openedBy(whole, lost.lost)
  }

  /** Runs the members that are to be run, and joins how they came out. */
  async #members(group: Group, halt: Halt): Promise<Branch> {
    const { halt: own, stopSiblings } = halt.below()
    const failedBefore = group.each.filter((member) => this.#log.failed(member))
    // A run that was turning back when it was cut off goes on turning back, and begins nothing else.
    const turning = failedBefore.length > group.maxFailures
    const results: Branch[] = []
    let failed = 0
    const enough = () => failed > group.maxFailures || results.some(({ state }) => state === 'halted')
    const sequential = group.mode === 'sequence'
    await pooled(turning ? failedBefore : group.each, sequential ? 1 : group.limit, async (member) => {
      const held = sequential && results.some(({ state }) => state === 'open')
      if (!turning && (enough() || held)) return
      let result = await this.#node(member, own)
      if (result.state === 'failed') failed += 1
      const takesBackAll = failed > group.maxFailures && group.onFailure === 'undo'
      // A group that failed has undone itself; a step has nobody else to do it.
      if (result.state === 'failed' && member.kind === 'step' && !takesBackAll)
        result = await this.#undoBare(member, result)
      results.push(result)
      if (takesBackAll) stopSiblings()
    })
    return joinBranches(results, group)
  }

  /** Undoes what ran, last first, back to the last step that commits. */
  async #undoGroup(group: Group, failed: Branch): Promise<Branch> {
    const renewed = await this.#renew(group)
    const undone = renewed === undefined ? await this.#undoMembers(group) : { ...nothingUndone, lost: renewed }
    if (undone.lost !== undefined) {
      const failures = [...failed.failures, undone.lost]
      return { state: 'open', outcome: undone.lost.code, changed: true, failures }
    }
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
    if (lost !== undefined) return openedBy(failed, lost)
    const kept = failures.length > 0
    const outcome = kept ? 'partly' : count === 0 ? failed.outcome : afterUndo(failed.outcome, restored)
    return { state: 'failed', outcome, changed: kept, failures: [...failed.failures, ...failures] }
  }

  // ---- back

  async #undoNode(plan: Plan): Promise<Undone> {
    if (plan.kind === 'step') return this.#undoStep(plan)
    const renewed = await this.#renew(plan)
    if (renewed !== undefined) return { ...nothingUndone, lost: renewed }
    const undone = await this.#undoMembers(plan)
    const cleared = await this.#clearUp(plan)
    return joinUndone(undone, { ...nothingUndone, failures: cleared.failures, ...cleared.lost })
  }

  async #undoMembers(group: Group): Promise<Undone> {
    let sum = nothingUndone
    const sequential = group.mode === 'sequence'
    await pooled(group.each.toReversed(), sequential ? 1 : group.limit, async (member) => {
      if (sequential && (sum.barrier || sum.lost !== undefined)) return
      const undone = await this.#undoNode(member)
      sum = joinUndone(sum, undone)
    })
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
      for (const effect of step.undo) await this.#world.apply(step.host, effect, this.#relay(step))
      // An undo is carried through: only its own deadline ends its wait.
      if (step.undoUntil !== undefined) await waitUntil(this.#world, step.host, step.undoUntil, unstoppable.stop)
      this.#log.write({ type: 'undone', step: step.id })
      return { ...nothingUndone, count: 1, restored }
    } catch (thrown) {
      const cause = failureOf(thrown, step)
      if (isResumable(thrown)) return { ...nothingUndone, lost: cause }
      const message = `undoing "${step.title}" failed: ${cause.message}`
      const code = cause.code === 'refused' ? 'refused' : 'partly'
      const error: Failure = { ...cause, code, message }
      this.#log.write({ type: 'undo-failed', step: step.id, error })
      return { ...nothingUndone, count: code === 'refused' ? 0 : 1, failures: [error] }
    }
  }

  /** Does again what faded, before a group is taken back; returns why it cannot be, if so. */
  async #renew(group: Group): Promise<Failure | undefined> {
    if (!bodyOf(group).some((step) => this.#log.canUndo(step))) return undefined
    for (const step of renewedIn(group).filter((one) => this.#log.faded(one, group.always ?? []))) {
      this.#log.forget(step)
      const branch = await this.#step(step, new Halt(unstoppable))
      if (branch.state !== 'done') return branch.failures[0] ?? { code: 'failed', message: `"${step.title}" failed` }
    }
    return undefined
  }

  // ---- always

  /**
   * Runs a group's `always` steps, if anything of the group was begun. Each is tried whatever happened to the others; one
   * that was done before the last step of its group is done again.
   */
  async #clearUp(group: Group): Promise<Cleared> {
    const last = this.#log.lastOf(bodyOf(group))
    if (group.always === undefined || last === 0) return { failures: [] }
    const cleared: { failures: Failure[]; lost?: { lost: Failure } } = { failures: [] }
    const byHost = Object.values(Object.groupBy(group.always, ({ host }) => host))
    await pooled(byHost, undefined, async (steps) => {
      for (const step of steps ?? []) {
        if (this.#log.progress(step) === 'done' && this.#log.lastOf([step]) > last) continue
        try {
          this.#log.write({ type: 'begin', step: step.id })
          const { changed } = await this.#act(step, new Halt(unstoppable))
          this.#log.write({ type: 'done', step: step.id, changed })
        } catch (thrown) {
          const error = failureOf(thrown, step)
          if (isResumable(thrown)) cleared.lost ??= { lost: error }
          else {
            this.#log.write({ type: 'failed', step: step.id, error })
            cleared.failures.push(error)
          }
        }
      }
    })
    return cleared
  }

  #relay(step: Step, pushed: Relay['pushed'] = () => undefined): Relay {
    const last = this.#journal.records.findLast((record) => record.type === 'relayed' && record.step === step.id)
    return {
      last: last?.type === 'relayed' ? last.record : undefined,
      pass: (record) => this.#journal.append({ type: 'relayed', step: step.id, record }),
      pushed,
    }
  }
}

/** Does the work for each item, in order of beginning, so many at once; all at once without a limit. */
async function pooled<T>(items: readonly T[], limit: number | undefined, work: (item: T) => Promise<void>) {
  const queue = items.values()
  const worker = async (): Promise<void> => {
    for (const item of queue) await work(item)
  }
  await Promise.all(Array.from({ length: Math.min(items.length, limit ?? items.length) }, worker))
}

function joinBranches(results: readonly Branch[], group: Group): Branch {
  const count = (state: Branch['state']): number => results.filter((result) => result.state === state).length
  const failed = count('failed') > group.maxFailures
  const state = count('open') > 0 ? 'open' : failed ? 'failed' : count('halted') > 0 ? 'halted' : 'done'
  const own = results.filter((result) => result.state !== 'halted' || state === 'halted')
  // What stopped a sequence tells what became of it; members that stand for themselves are joined.
  const sequential = group.mode === 'sequence' && group.onFailure === 'undo'
  const stopper = own.find((one) => one.state === 'open') ?? own.find(({ outcome }) => outcome !== 'done')
  return {
    state,
    outcome: (sequential ? stopper?.outcome : undefined) ?? joinOutcomes(own),
    changed: results.some(({ changed }) => changed),
    failures: results.flatMap(({ failures }) => failures),
  }
}

const joinUndone = (a: Undone, b: Undone): Undone => {
  const lost = a.lost ?? b.lost
  return {
    count: a.count + b.count,
    restored: a.restored || b.restored,
    failures: [...a.failures, ...b.failures],
    barrier: a.barrier || b.barrier,
    ...(lost === undefined ? {} : { lost }),
  }
}

/** A branch whose work is over, but what had to follow it failed: what was done stays and is not whole. */
const withFailures = (branch: Branch, failures: readonly Failure[]): Branch =>
  failures.length === 0
    ? branch
    : {
        state: branch.state === 'open' ? 'open' : 'failed',
        outcome: 'partly',
        changed: true,
        failures: [...branch.failures, ...failures],
      }

/** A branch that cannot be finished, since a host was lost. */
const openedBy = (branch: Branch, lost: Failure): Branch => ({
  state: 'open',
  outcome: branch.outcome === 'done' ? lost.code : branch.outcome,
  changed: branch.changed,
  failures: [...branch.failures, lost],
})

/** What a failure is called once everything is put back. */
function afterUndo(outcome: Outcome, restored: boolean): Outcome {
  if (restored) return 'rolled-back'
  return outcome === 'unhealthy' ? 'failed' : outcome
}

const isResumable = (thrown: unknown): boolean => thrown instanceof NetopsError && thrown.resumable

/** What may be otherwise a moment later. */
function mayRetry(thrown: unknown): boolean {
  if (thrown instanceof Halted) return false
  return !(thrown instanceof NetopsError) || thrown.code === 'failed' || thrown.code === 'unhealthy'
}

function failureOf(thrown: unknown, step: Step): Failure {
  const error = locate(thrown, { host: step.host, step: step.id })
  return {
    code: error.code,
    message: error.message,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(error.host === undefined ? {} : { host: error.host }),
    ...(error.step === undefined ? {} : { step: error.step }),
  }
}
