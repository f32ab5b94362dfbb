// Plans as plain data: a tree of steps, each with what it does, how to undo it and what to wait for.
import * as z from 'zod'
import { effect, probe, wantedBy } from './effects.ts'
import type { Outcome } from './errors.ts'
import { failure, outcome } from './failure.ts'

/** In {@link Wait.from}: the machine where the operator's netops runs. */
export const operatorHost = '(operator)'

/** How a wait ended: `inconclusive` when nothing could be found out. */
export const waitOutcome = z.enum(['met', 'timed-out', 'inconclusive'])
export type WaitOutcome = z.infer<typeof waitOutcome>

const wait = z.strictObject({
  probe,
  /** How long the answer must stay good, in ms. */
  holdForMs: z.number(),
  /** How long to wait for that in all, in ms. */
  deadlineMs: z.number(),
  /** Whether the step fails at the deadline, as it does by default, or is done all the same. */
  onDeadline: z.enum(['fail', 'go-on']).optional(),
  /** The host from which the question is asked, or {@link operatorHost}; by default the step's. */
  from: z.string().optional(),
  /** What it is called when the answer held: `drained`. */
  met: z.string().optional(),
})
export type Wait = z.infer<typeof wait>

/** How a wait ended, for people: `drained`, `timed out`. */
export function waitedText({ probe: asked, met }: Wait, ended: WaitOutcome): string {
  if (ended === 'inconclusive') return 'inconclusive'
  // A pause has no other end than its deadline.
  if (asked.kind === 'elapsed') return met ?? 'time passed'
  return ended === 'timed-out' ? 'timed out' : (met ?? wantedBy(asked))
}

/**
 * What has to be so for a step or a group to be begun, by what an earlier step came to. `done` holds also for a step that was
 * unchanged, `begun` for one that was begun, however it ended. Judged by the journal when its turn comes: as long as the
 * named step can still come to it, what has the condition waits as if its own host were lost; where that step failed, it
 * fails too; otherwise it is skipped.
 */
const condition = z.union([
  z.strictObject({ step: z.string(), is: z.enum(['done', 'begun']) }),
  z.strictObject({ step: z.string(), waited: z.array(waitOutcome) }),
])
export type Condition = z.infer<typeof condition>

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
  when: condition.optional(),
  /** Past this step the run only goes forward. */
  commits: z.literal(true).optional(),
  /** What it does lasts only while the run does, or until an `always` step: a run that goes on does it again. */
  transient: z.literal(true).optional(),
  /** The facts showed it to be so already: shown, not run. */
  unchanged: z.literal(true).optional(),
  /** The facts showed that it cannot be done: it fails with this when its turn comes, and applies nothing. */
  impossible: failure.optional(),
})
export type Step = z.infer<typeof step>

const batches = z.strictObject({
  /** How many members each wave has. A wave begins when every member of the one before it is through. */
  sizes: z.array(z.int().min(1)),
  /** The step at index i runs after wave i, before the next one begins; where it fails, the group does. */
  between: z.array(step).optional(),
})
export type Batches = z.infer<typeof batches>

export interface Group {
  readonly kind: 'group'
  readonly title: string
  readonly mode: 'sequence' | 'parallel'
  /** How many members run at once, in a parallel group; with waves, within one. */
  readonly limit?: number | undefined
  /** The waves of a parallel group. */
  readonly batches?: Batches | undefined
  /** What happens to members that finished when too many failed. A failed member always undoes itself. */
  readonly onFailure: 'undo' | 'keep'
  /** How many members may fail before no other is begun and the group counts as failed. */
  readonly maxFailures: number
  /**
   * What a member means whose host cannot be reached. By default the group stays open, and a sequence holds there. `park`:
   * it counts against `maxFailures` and waits for a resume, the others go on. `fail`: it has failed.
   */
  readonly onLost?: 'fail' | 'park' | undefined
  /** How many members may be lost where that is apart from {@link maxFailures}; otherwise both count together. */
  readonly maxLost?: number | undefined
  /** Failures of these kinds are more than any budget. */
  readonly intolerable?: readonly Outcome[] | undefined
  readonly when?: Condition | undefined
  readonly each: readonly Plan[]
  /** Run last, whatever happened: also after an undo, an interruption and a resume. In order on each host. */
  readonly always?: readonly Step[] | undefined
}
export type Plan = Step | Group

const group: z.ZodType<Group> = z
  .strictObject({
    kind: z.literal('group'),
    title: z.string(),
    mode: z.enum(['sequence', 'parallel']),
    limit: z.int().min(1).optional(),
    batches: batches.optional(),
    onFailure: z.enum(['undo', 'keep']),
    maxFailures: z.int().min(0),
    onLost: z.enum(['fail', 'park']).optional(),
    maxLost: z.int().min(0).optional(),
    intolerable: z.array(outcome).optional(),
    when: condition.optional(),
    get each() {
      return z.array(plan)
    },
    always: z.array(step).optional(),
  })
  .refine(({ mode, batches: waves }) => waves === undefined || mode === 'parallel', {
    error: 'only a parallel group has batches',
  })
  .refine(({ batches: waves, each }) => waves === undefined || sum(waves.sizes) === each.length, {
    error: 'the sizes of the batches come to another number than the members',
  })
  .refine(({ batches: waves }) => (waves?.between?.length ?? 0) < Math.max(1, waves?.sizes.length ?? 1), {
    error: 'a step between batches has no batch after it',
  })
export const plan: z.ZodType<Plan> = z.union([step, group])

const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0)

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
export const allOrNone = (title: string, each: readonly Plan[], limit: number): Group => ({
  ...sequence(title, each),
  mode: 'parallel',
  limit,
})

/** Members that stand for themselves: one that fails undoes itself and leaves the others alone. */
export const independently = (title: string, each: readonly Plan[], limit: number): Group => ({
  ...allOrNone(title, each, limit),
  onFailure: 'keep',
  maxFailures: each.length,
})

interface Tolerance {
  readonly limit: number
  readonly maxFailures: number
  readonly batches?: Batches
}

/** Side by side, in waves if asked: goes on as long as no more members than that failed or were lost; what is done is kept. */
export const tolerantly = (
  title: string,
  each: readonly Plan[],
  { limit, maxFailures, batches }: Tolerance,
): Group => ({
  ...independently(title, each, limit),
  maxFailures,
  onLost: 'park',
  ...(batches === undefined ? {} : { batches }),
})

/** A number of hosts, or a share of all. */
export type BatchSize = number | `${number}%`

/**
 * The sizes of the waves that cover so many hosts: `[1, '25%']` of 20 is 1, 5, 5, 5, 4. A share is one of all hosts, rounded
 * up; the last entry repeats, and the last wave takes what is left.
 */
export function batchSizes(spec: readonly BatchSize[], hosts: number): number[] {
  const sizes: number[] = []
  for (let left = hosts; left > 0; left -= sizes.at(-1) ?? left) {
    const entry = spec[sizes.length] ?? spec.at(-1) ?? hosts
    const wanted = typeof entry === 'number' ? entry : Math.ceil((hosts * Number.parseFloat(entry)) / 100)
    sizes.push(Math.min(left, Math.max(1, wanted)))
  }
  return sizes
}

export interface Wave {
  readonly members: readonly Plan[]
  /** Run when they are through, before the next wave. */
  readonly after: Step | undefined
}

/** The members of a group by waves; all in one where it has none. */
export function wavesOf({ each, batches }: Group): readonly Wave[] {
  if (batches === undefined) return [{ members: each, after: undefined }]
  let next = 0
  return batches.sizes.map((size, index) => {
    const members = each.slice(next, next + size)
    next += size
    return { members, after: batches.between?.[index] }
  })
}

/** The members of a group with the steps between its waves, in the order in which they come. */
export const partsOf = (group: Group): readonly Plan[] =>
  wavesOf(group).flatMap(({ members, after }) => (after === undefined ? members : [...members, after]))

/** All steps of a plan, in the order in which they are written; a group's `always` steps after its members. */
export const stepsOf = (from: Plan): readonly Step[] =>
  from.kind === 'step' ? [from] : [...partsOf(from).flatMap(stepsOf), ...(from.always ?? [])]
