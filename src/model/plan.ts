// Plans as plain data: a tree of steps, each with what it does, how to undo it and what to wait for.
import { z } from 'zod'
import { effect, probe } from './effects.ts'

const wait = z.strictObject({
  probe,
  /** How long the answer must stay good, in ms. */
  holdForMs: z.number(),
  /** How long to wait for that in all, in ms. */
  deadlineMs: z.number(),
})
export type Wait = z.infer<typeof wait>

const step = z.strictObject({
  kind: z.literal('step'),
  /** Stable and unique within the plan: `web1/switch`. */
  id: z.string(),
  host: z.string(),
  title: z.string(),
  act: z.array(effect),
  undo: z.array(effect),
  /** After `act`: the step is done when this holds. All waiting lives here. */
  until: wait.optional(),
  /** After `undo`: undone when this holds. */
  undoUntil: wait.optional(),
  /** Past this step the run only goes forward. */
  commits: z.literal(true).optional(),
  /** The facts showed it to be so already: shown, not run. */
  unchanged: z.literal(true).optional(),
})
export type Step = z.infer<typeof step>

export interface Group {
  readonly kind: 'group'
  readonly title: string
  readonly mode: 'sequence' | 'parallel'
  /** How many members run at once, in a parallel group. */
  readonly limit?: number | undefined
  /** What happens to members that finished when another failed. A failed member always undoes itself. */
  readonly onFailure: 'undo' | 'keep'
  readonly each: readonly Plan[]
}
export type Plan = Step | Group

const group: z.ZodType<Group> = z.strictObject({
  kind: z.literal('group'),
  title: z.string(),
  mode: z.enum(['sequence', 'parallel']),
  limit: z.number().optional(),
  onFailure: z.enum(['undo', 'keep']),
  get each() {
    return z.array(plan)
  },
})
export const plan: z.ZodType<Plan> = z.union([step, group])

export const sequence = (title: string, each: readonly Plan[]): Group => ({
  kind: 'group',
  title,
  mode: 'sequence',
  onFailure: 'undo',
  each,
})

/** Members that stand for themselves: one that fails undoes itself and leaves the others alone. */
export const independently = (title: string, each: readonly Plan[], limit: number): Group => ({
  kind: 'group',
  title,
  mode: 'parallel',
  limit,
  onFailure: 'keep',
  each,
})

/** All steps of a plan, in the order in which they are written. */
export const stepsOf = (from: Plan): readonly Step[] => (from.kind === 'step' ? [from] : from.each.flatMap(stepsOf))
