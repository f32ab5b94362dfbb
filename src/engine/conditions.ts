// Whether a step or a group may be begun, by what the step that its condition names came to.
import type { Outcome } from '../model/errors.ts'
import type { Condition, Plan } from '../model/plan.ts'
import type { StepLog } from './steps.ts'

/**
 * `pending`: the named step can still come to it, once its host is back. `failed`: it failed, with that outcome. `skip`: it
 * came out otherwise.
 */
export type Verdict = { readonly is: 'met' | 'pending' | 'skip' } | { readonly is: 'failed'; readonly outcome: Outcome }

/** Judges a condition by the journal; none is always met. */
export function judge(condition: Condition | undefined, log: StepLog): Verdict {
  if (condition === undefined) return { is: 'met' }
  const progress = log.progressOf(condition.step)
  if ('is' in condition && condition.is === 'begun') {
    if (progress === undefined) return { is: 'pending' }
    return { is: progress === 'skipped' || progress === 'blocked' ? 'skip' : 'met' }
  }
  switch (progress) {
    case undefined:
    case 'begun':
      return { is: 'pending' }
    case 'done':
    case 'unchanged': {
      if (!('waited' in condition)) return { is: 'met' }
      const waited = log.waitedOf(condition.step)
      return { is: waited !== undefined && condition.waited.includes(waited) ? 'met' : 'skip' }
    }
    case 'skipped':
      return { is: 'skip' }
    case 'blocked':
    case 'failed':
    case 'undoing':
    case 'undone':
    case 'undo-failed':
      return { is: 'failed', outcome: log.errorOf(condition.step)?.code ?? 'failed' }
  }
}

/** Whether a part of the plan counts as failed: a group does when more of its members failed than it tolerates. */
export function hasFailed(plan: Plan, log: StepLog): boolean {
  if (plan.kind === 'step') return log.errorOf(plan.id) !== undefined || log.progressOf(plan.id) === 'blocked'
  if (!log.anyOf(plan) && judge(plan.when, log).is === 'failed') return true
  const failed = plan.each.filter((member) => hasFailed(member, log))
  if (failed.length > plan.maxFailures) return true
  return failed.some((member) => plan.intolerable?.some((code) => code === failedAs(member, log)) === true)
}

/** What a failed step failed as. */
const failedAs = (plan: Plan, log: StepLog): Outcome | undefined =>
  plan.kind === 'step' ? log.errorOf(plan.id)?.code : undefined
