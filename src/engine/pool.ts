// How members of a group are gone through, and what becomes of steps whose hosts are lost. Pure but for what it is given.
import { partsOf, type Group, type Plan } from '../model/plan.ts'

/**
 * Does the work for each item, in order of beginning, so many at once; all at once without a limit. Where the work of one
 * throws, no other is begun: a process that is to stop must not go on beside that.
 */
export async function pooled<T>(
  items: readonly T[],
  limit: number | undefined,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items.values()
  const worker = async (): Promise<void> => {
    for (const item of queue) await work(item)
  }
  await Promise.all(Array.from({ length: Math.min(items.length, limit ?? items.length) }, worker))
}

export type LostPolicy = Group['onLost']

/** What the nearest group above each step that says so makes of a lost host, by the step's id. */
export function policiesIn(plan: Plan): ReadonlyMap<string, LostPolicy> {
  const policies = new Map<string, LostPolicy>()
  const walk = (part: Plan, above: LostPolicy): void => {
    if (part.kind === 'step') {
      policies.set(part.id, above)
      return
    }
    const policy = part.onLost ?? above
    for (const member of partsOf(part)) walk(member, policy)
    for (const step of part.always ?? []) policies.set(step.id, policy)
  }
  walk(plan, undefined)
  return policies
}
