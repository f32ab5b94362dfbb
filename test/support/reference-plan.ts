// What a plan has to come to, told independently of the engine: a few lines of recursion over the finished plan.
import type { Group, Plan, Step } from '../../src/model/plan.ts'

/** What goes wrong with a step each time it is tried. */
export type Trouble = 'act' | 'timeout'

export interface Expected {
  /** Steps whose effects stand in the world at the end. */
  readonly kept: ReadonlySet<string>
  /** `always` steps that ran. */
  readonly cleared: ReadonlySet<string>
  readonly outcome: 'done' | 'failed'
}

/** The end of a plan that nothing interrupts, or that was resumed after every interruption. */
export function expectedEnd(plan: Plan, trouble: ReadonlyMap<string, Trouble>): Expected {
  const kept = new Set<string>()
  const failed = new Set<string>()
  const cleared = new Set<string>()

  const run = (node: Plan): boolean => {
    if (node.kind === 'step') {
      if (node.unchanged === true) return true
      if (trouble.has(node.id)) failed.add(node.id)
      else kept.add(node.id)
      return !trouble.has(node.id)
    }
    const bad: Plan[] = []
    for (const member of node.each) {
      if (node.mode === 'sequence' && bad.length > node.maxFailures) break
      if (!run(member)) bad.push(member)
    }
    const failing = bad.length > node.maxFailures
    if (failing && node.onFailure === 'undo') takeBack(node)
    for (const { id } of node.always ?? []) cleared.add(id)
    return !failing
  }
  /** Returns whether a step in it committed, before which nothing may be taken back. */
  const takeBack = (node: Plan): boolean => {
    if (node.kind === 'step') return kept.has(node.id) && takeStepBack(node)
    let barrier = false
    for (const member of node.each.toReversed()) {
      if (node.mode === 'sequence' && barrier) break
      barrier = takeBack(member) || barrier
    }
    return barrier
  }
  const takeStepBack = (step: Step): boolean => {
    if (step.commits === true) return true
    if (step.undo.length > 0) kept.delete(step.id)
    return false
  }
  const ended = run(plan)
  return { kept, cleared, outcome: ended ? 'done' : 'failed' }
}

/** Every group of a plan, outer ones first. */
export const groupsOf = (plan: Plan): readonly Group[] =>
  plan.kind === 'step' ? [] : [plan, ...plan.each.flatMap(groupsOf)]
