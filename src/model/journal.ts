// The journal of a run, as JSON lines. On a host it is also the event stream that an operator's netops follows.
import * as z from 'zod'
import { failure, outcome } from './failure.ts'
import { plan, waitOutcome } from './plan.ts'

export type { Failure } from './failure.ts'

/** The operator's own commands before and after a run, argv each; they get the run as JSON on standard input. */
const hooks = z.strictObject({
  pre: z.array(z.array(z.string())),
  post: z.array(z.array(z.string())),
  /** The folder that they run in: that of the fleet file. */
  folder: z.string().exactOptional(),
})
export type Hooks = z.infer<typeof hooks>

/** What pushes sent to a host, of how much there was to bring. */
const pushed = z.strictObject({ bytes: z.number(), of: z.number() })
export type Pushed = z.infer<typeof pushed>
export const addPushed = (sum: Pushed | undefined, { bytes, of }: Pushed): Pushed => ({
  bytes: (sum?.bytes ?? 0) + bytes,
  of: (sum?.of ?? 0) + of,
})

const stamp = { netops: z.literal(1), seq: z.number(), at: z.iso.datetime() }
const onStep = { ...stamp, step: z.string() }

const ownRecord = z.discriminatedUnion('type', [
  z.strictObject({
    ...stamp,
    type: z.literal('run'),
    run: z.string(),
    procedure: z.string(),
    /** Version and commit of the netops that decided the plan. */
    by: z.string(),
    input: z.json(),
    facts: z.json(),
    plan,
    /** Of the plan in canonical form: a resume refuses a plan that is not the one that was begun. */
    planSha256: z.string(),
    hooks: hooks.exactOptional(),
  }),
  z.strictObject({ ...stamp, type: z.literal('resumed'), by: z.string(), pid: z.number() }),
  /** From here on the run is undone, as far as undo may go. */
  z.strictObject({ ...stamp, type: z.literal('undo'), by: z.string(), pid: z.number() }),
  /** It stopped without an end: a host was lost or the operator stopped it; a resume goes on. */
  z.strictObject({ ...stamp, type: z.literal('parked'), error: failure }),
  z.strictObject({
    ...stamp,
    type: z.literal('hook'),
    phase: z.enum(['pre', 'post']),
    argv: z.array(z.string()),
    outcome: z.enum(['done', 'failed']),
    error: failure.exactOptional(),
  }),
  z.strictObject({ ...onStep, type: z.literal('begin') }),
  /** `changed`: the service was changed by it. */
  z.strictObject({
    ...onStep,
    type: z.literal('done'),
    changed: z.boolean(),
    pushed: pushed.exactOptional(),
    /** How its wait ended, where it may end without the answer that was waited for. */
    waited: waitOutcome.exactOptional(),
    /** What its work came to. */
    result: z.json().exactOptional(),
  }),
  /** How far its work is; not every such record is on the disk at once. */
  z.strictObject({
    ...onStep,
    type: z.literal('progress'),
    done: z.number(),
    of: z.number(),
    /** What is counted, where it is not things. */
    unit: z.literal('bytes').exactOptional(),
  }),
  z.strictObject({ ...onStep, type: z.literal('unchanged') }),
  /** Not needed: what it has for a condition came out otherwise. */
  z.strictObject({ ...onStep, type: z.literal('skipped') }),
  /** Not begun, because the step that its condition names failed. */
  z.strictObject({ ...onStep, type: z.literal('blocked') }),
  /** `lost`: its host could not be reached, and nobody waits for it any more; what it did there is not known. */
  z.strictObject({ ...onStep, type: z.literal('failed'), error: failure, lost: z.literal(true).exactOptional() }),
  z.strictObject({ ...onStep, type: z.literal('undoing') }),
  z.strictObject({ ...onStep, type: z.literal('undone') }),
  z.strictObject({ ...onStep, type: z.literal('undo-failed'), error: failure }),
  z.strictObject({
    ...stamp,
    type: z.literal('end'),
    outcome,
    /** Whether anything was changed and the change was kept. */
    changed: z.boolean(),
    /** It is the end of an undo: what stands before it is taken back, as far as `outcome` says. */
    undone: z.literal(true).exactOptional(),
    error: failure.optional(),
  }),
])

/** What a host run reported: one record of that host's own journal. */
const relayed = z.strictObject({ ...onStep, type: z.literal('relayed'), record: ownRecord })

export const journalRecord = z.discriminatedUnion('type', [...ownRecord.options, relayed])
export type JournalRecord = z.infer<typeof journalRecord>
/** A record that a host's own journal holds; a host run starts no others. */
export type OwnRecord = z.infer<typeof ownRecord>
/** Whether a record is on the disk when it is told: the number of one that is not may be another's after a power cut. */
export const isLasting = ({ type }: OwnRecord): boolean => type !== 'progress'
export const parseOwnRecord = (line: string): OwnRecord => ownRecord.parse(JSON.parse(line))
type Unstamped<T> = T extends unknown ? Omit<T, 'netops' | 'seq' | 'at'> : never
/** A record before the journal gives it its number and time. */
export type JournalEntry = Unstamped<JournalRecord>
export type EndRecord = Extract<JournalRecord, { type: 'end' }>
export type RunRecord = Extract<JournalRecord, { type: 'run' }>
