// How parts of a plan came out, forward and back, and how several are joined. Pure.
import { joinOutcomes, NetopsError, locate, type Outcome } from '../model/errors.ts'
import { failureOf, type Failure } from '../model/failure.ts'
import type { Pushed } from '../model/journal.ts'
import type { Json } from '../model/json.ts'
import type { Group, Step, WaitOutcome } from '../model/plan.ts'

/** What the effects of a step came to. */
export interface Acted {
  /** Whether the host was changed. */
  readonly changed: boolean
  readonly pushed?: Pushed
  /** What its work came to. */
  readonly result?: Json
  /** How its wait ended, where that may be in several ways. */
  readonly waited?: WaitOutcome
}

/** How a part of a plan came out. */
export interface Branch {
  /**
   * `halted`: stopped for a reason that is not its own. `open`: it can go on later. `parked`: all that could be done is done,
   * and hosts that were lost can go on later.
   */
  readonly state: 'done' | 'failed' | 'halted' | 'open' | 'parked'
  readonly outcome: Outcome
  /** Whether something was changed and the change was kept. */
  readonly changed: boolean
  readonly failures: readonly Failure[]
  /** It is open because a host cannot be reached, and for no other reason. */
  readonly lost?: true
}

export const fine = (changed: boolean): Branch => ({ state: 'done', outcome: 'done', changed, failures: [] })
export const halted: Branch = { state: 'halted', outcome: 'interrupted', changed: false, failures: [] }

/** A member that cannot be begun because its host was lost before: why was told there. */
export const lostBefore: Branch = { state: 'open', outcome: 'unreachable', changed: false, failures: [], lost: true }

/** A member whose group counts it as failed, though the failure was another's and told there. */
export const failedBefore = (outcome: Outcome): Branch => ({ state: 'failed', outcome, changed: false, failures: [] })

/** Whether a member waits for its host, and its group may go on without it. */
const isLost = ({ state, lost }: Branch): boolean => state === 'open' && lost === true

/** Whether members stand in the way of those that come after them in a sequence. */
export const holds = (branch: Branch, { onLost }: Group): boolean =>
  onLost === 'park' ? branch.state === 'open' && !isLost(branch) : branch.state === 'open' || branch.state === 'parked'

/**
 * Whether more members failed, or were lost, than their group tolerates.
 * @param failing how many beside the results have failed
 */
export function isExceeded(results: readonly Branch[], group: Group, failing = 0): boolean {
  const { maxFailures, maxLost, onLost, intolerable = [] } = group
  const ended = results.filter(({ state }) => state === 'failed')
  const failed = ended.length + failing
  if (failed > maxFailures || ended.some(({ outcome }) => intolerable.includes(outcome))) return true
  if (onLost !== 'park') return false
  const lost = results.filter(isLost).length
  return maxLost === undefined ? failed + lost > maxFailures : lost > maxLost
}

/** What the members of a group come to together. */
export function joinBranches(results: readonly Branch[], group: Group): Branch {
  const is = (state: Branch['state']): boolean => results.some((result) => result.state === state)
  const { state, lost } = joinedState(results, group, is)
  const own = results.filter((result) => result.state !== 'halted' || state === 'halted')
  // What stopped a sequence tells what became of it; members that stand for themselves are joined.
  const sequential = group.mode === 'sequence' && group.onFailure === 'undo' && group.onLost !== 'park'
  const stopper = own.find((one) => one.state === 'open') ?? own.find(({ outcome }) => outcome !== 'done')
  return {
    state,
    outcome: (sequential ? stopper?.outcome : undefined) ?? joinOutcomes(own),
    changed: results.some(({ changed }) => changed),
    failures: results.flatMap(({ failures }) => failures),
    ...(lost ? { lost } : {}),
  }
}

type Joined = Pick<Branch, 'state' | 'lost'>

function joinedState(
  results: readonly Branch[],
  group: Group,
  is: (state: Branch['state']) => boolean,
): { readonly state: Joined['state']; readonly lost?: true | undefined } {
  const parks = group.onLost === 'park'
  const exceeded = isExceeded(results, group)
  if (results.some((result) => holds(result, group))) {
    const waiting = results.filter((one) => holds(one, group))
    return { state: 'open', lost: waiting.every(({ state, lost }) => lost === true || state === 'parked') || undefined }
  }
  // What is to be kept can still be finished by the hosts that were lost; what is to be taken back is not waited for.
  if (exceeded) return { state: parks && group.onFailure === 'keep' && results.some(isLost) ? 'open' : 'failed' }
  if (is('halted')) return { state: 'halted' }
  return { state: results.some(isLost) || is('parked') ? 'parked' : 'done' }
}

/** What undoing a part of a plan came to. */
export interface Undone {
  /** How many steps were taken back. */
  readonly count: number
  /** Whether a service was put back and seen to be healthy. */
  readonly restored: boolean
  readonly failures: readonly Failure[]
  /** A step that commits was done: nothing before it may be undone. */
  readonly barrier: boolean
  /** Why hosts were lost meanwhile, so that a resume has to go on. */
  readonly lost: readonly Failure[]
}

export const nothingUndone: Undone = { count: 0, restored: false, failures: [], barrier: false, lost: [] }

export const joinUndone = (a: Undone, b: Undone): Undone => ({
  count: a.count + b.count,
  restored: a.restored || b.restored,
  failures: [...a.failures, ...b.failures],
  barrier: a.barrier || b.barrier,
  lost: [...a.lost, ...b.lost],
})

/** A part that cannot be taken back whole yet, because hosts were lost; undefined where none was. */
export function openUndone({ lost, failures }: Undone, before: readonly Failure[] = []): Branch | undefined {
  const [first] = lost
  if (first === undefined) return undefined
  return { state: 'open', outcome: first.code, changed: true, failures: [...before, ...lost, ...failures] }
}

/** What the `always` steps of a group came to. */
export interface Cleared {
  readonly failures: readonly Failure[]
  /** Hosts that could not be reached for it, so that a resume has to go on. */
  readonly lost: readonly Failure[]
}

/** A branch whose work is over, but what had to follow it failed: what was done stays and is not whole. */
export const withFailures = (branch: Branch, failures: readonly Failure[]): Branch =>
  failures.length === 0
    ? branch
    : {
        state: branch.state === 'open' || branch.state === 'parked' ? branch.state : 'failed',
        outcome: 'partly',
        changed: true,
        failures: [...branch.failures, ...failures],
      }

/** A branch that cannot be finished where hosts were lost. */
export function openedBy(branch: Branch, lost: readonly Failure[]): Branch {
  const [first] = lost
  if (first === undefined) return branch
  const onlyLost = lost.every(({ code }) => code === 'unreachable') && (branch.state !== 'open' || branch.lost === true)
  return {
    state: 'open',
    outcome: branch.outcome === 'done' ? first.code : branch.outcome,
    changed: branch.changed,
    failures: [...branch.failures, ...lost],
    ...(onlyLost ? { lost: true } : {}),
  }
}

/** What a failure is called once everything is put back. */
export function afterUndo(outcome: Outcome, restored: boolean): Outcome {
  if (restored) return 'rolled-back'
  return outcome === 'unhealthy' ? 'failed' : outcome
}

/** Whether the run can go on from here later: a host was lost, or the operator left. */
export const isResumable = (thrown: unknown): boolean => thrown instanceof NetopsError && thrown.resumable

/** Whether the host cannot be reached. */
export const isOutOfReach = (thrown: unknown): boolean =>
  thrown instanceof NetopsError && thrown.resumable && thrown.code === 'unreachable'

/** What went wrong in a step, with its place. */
export const failureIn = (thrown: unknown, step: Step): Failure =>
  failureOf(locate(thrown, { host: step.host, step: step.id }))

/** Why a group cannot be taken back now. */
export const outOfTouch = ({ title }: Group): Failure => ({
  code: 'unreachable',
  message: `"${title}" cannot be taken back while its host is out of reach`,
})
