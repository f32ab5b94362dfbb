// Whether a host would do what the operator was shown: plans compared by their hashes. Pure.
import { NetopsError } from '../model/errors.ts'
import { canonicalJson } from '../model/json.ts'
import type { PlanDigest } from '../model/plan-digest.ts'
import { stepsOf, type Plan, type Step } from '../model/plan.ts'
import { sha256OfText } from '../system/files.ts'

// Whatever the run is called: a dry run and the run after it come to the same.
const hashed = (value: unknown, run: string): string =>
  sha256OfText(canonicalJson(value).replaceAll(JSON.stringify(run).slice(1, -1), 'RUN'))

const hashOf = ({ act, undo }: Step, run: string): string => hashed({ act, undo }, run)

/** A step that applies nothing only looks or waits, so it changes nothing. */
const changes = (step: Step): boolean => step.unchanged !== true && step.act.length + step.undo.length > 0

/** The plan of a run by its hashes, whatever the run is called. */
export const digestOf = (plan: Plan, run: string): PlanDigest => ({
  sha256: hashed(plan, run),
  steps: Object.fromEntries(
    stepsOf(plan)
      .filter(changes)
      .map((step) => [step.id, hashOf(step, run)]),
  ),
})

/**
 * Compares a plan with the one that was shown. Steps that were shown and are not in it any more, because their result is
 * there by now, are no difference.
 * @throws NetopsError `refused` naming the first step that would do something else
 */
export function refuseOtherPlan(plan: Plan, shown: PlanDigest, { run, host }: { run: string; host: string }): void {
  if (hashed(plan, run) === shown.sha256) return
  const other = stepsOf(plan).find((step) => changes(step) && shown.steps[step.id] !== hashOf(step, run))
  if (other === undefined) return
  throw new NetopsError('refused', {
    host,
    message: `the host has changed since the plan was made: "${other.title}" would do something else now`,
    hint: 'nothing was done; see what changed it (netops status, netops runs list), then run the same command again',
  })
}
