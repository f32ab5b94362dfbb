// Whether a host would do what the operator was shown: plans compared by their hashes. Pure.
import { NetopsError } from '../model/errors.ts'
import type { PlanDigest } from '../model/plan-digest.ts'
import { stepsOf, type Plan, type Step } from '../model/plan.ts'
import { sha256OfText } from '../system/files.ts'
import { canonicalJson, planHash } from './journal.ts'

const hashOf = ({ act, undo }: Step): string => sha256OfText(canonicalJson({ act, undo }))

/** A step that applies nothing only looks or waits, so it changes nothing. */
const changes = (step: Step): boolean => step.unchanged !== true && step.act.length + step.undo.length > 0

/** The plan by its hashes. */
export const digestOf = (plan: Plan): PlanDigest => ({
  sha256: planHash(plan),
  steps: Object.fromEntries(
    stepsOf(plan)
      .filter(changes)
      .map((step) => [step.id, hashOf(step)]),
  ),
})

/**
 * Compares a plan with the one that was shown. Steps that were shown and are not in it any more, because their result is
 * there by now, are no difference.
 * @throws NetopsError `refused` naming the first step that would do something else
 */
export function refuseOtherPlan(plan: Plan, shown: PlanDigest, host: string): void {
  if (planHash(plan) === shown.sha256) return
  const other = stepsOf(plan).find((step) => changes(step) && shown.steps[step.id] !== hashOf(step))
  if (other === undefined) return
  throw new NetopsError('refused', {
    host,
    message: `the host has changed since the plan was made: "${other.title}" would do something else now`,
    hint: 'nothing was done; see what changed it (netops status, netops runs list), then run the same command again',
  })
}
