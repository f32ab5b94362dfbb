// Plans as plain data: a tree of steps, each with what it does, how to undo it and what to wait for.
import * as z from 'zod'
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
  /** How often `act` and `until` are tried, and the pause between, in ms; a refusal or damage is not tried again. */
  retry: z.strictObject({ attempts: z.int().min(2), delayMs: z.number() }).optional(),
  /** Past this step the run only goes forward. */
  commits: z.literal(true).optional(),
  /** What it does lasts only while the run does, or until an `always` step: a run that goes on does it again. */
  renews: z.literal(true).optional(),
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
  /** What happens to members that finished when too many failed. A failed member always undoes itself. */
  readonly onFailure: 'undo' | 'keep'
  /** How many members may fail before no other is begun and the group counts as failed. */
  readonly maxFailures: number
  readonly each: readonly Plan[]
  /** Run last, whatever happened: also after an undo, an interruption and a resume. In order on each host. */
  readonly always?: readonly Step[] | undefined
}
export type Plan = Step | Group

const group: z.ZodType<Group> = z.strictObject({
  kind: z.literal('group'),
  title: z.string(),
  mode: z.enum(['sequence', 'parallel']),
  limit: z.int().min(1).optional(),
  onFailure: z.enum(['undo', 'keep']),
  maxFailures: z.int().min(0),
  get each() {
    return z.array(plan)
  },
  always: z.array(step).optional(),
})
export const plan: z.ZodType<Plan> = z.union([step, group])

/** One after the other; a failure undoes what was done. */
export const sequence = (title: string, each: readonly Plan[]): Group => ({
  kind: 'group',
  title,
  mode: 'sequence',
  onFailure: 'undo',
  maxFailures: 0,
  each,
})

/** Side by side, all or none: a failure stops the others after their step, and all is undone. */
export const together = (title: string, each: readonly Plan[], limit: number): Group => ({
  ...sequence(title, each),
  mode: 'parallel',
  limit,
})

/** Members that stand for themselves: one that fails undoes itself and leaves the others alone. */
export const independently = (title: string, each: readonly Plan[], limit: number): Group => ({
  ...together(title, each, limit),
  onFailure: 'keep',
  maxFailures: each.length,
})

/** All steps of a plan, in the order in which they are written; a group's `always` steps after its members. */
export const stepsOf = (from: Plan): readonly Step[] =>
  from.kind === 'step' ? [from] : [...from.each.flatMap(stepsOf), ...(from.always ?? [])]
