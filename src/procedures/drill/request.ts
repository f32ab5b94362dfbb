// A drill of a host's backup: the request for it, and what it came to.
import * as z from 'zod'
import { requestFields } from '../host-request.ts'

/** In ms: how long a restore may take, and how old the configuration and the state may be that it brings back. */
export const drillObjectives = z.strictObject({ rtoMs: z.number(), configMs: z.number(), stateMs: z.number() })
export type DrillObjectives = z.infer<typeof drillObjectives>

export const drillRequest = z.strictObject({
  procedure: z.literal('backup-drill'),
  ...requestFields,
  /** An id, `latest` or a time. */
  which: z.string(),
  /** The folder in which the folder of the drill is made. */
  scratch: z.string().startsWith('/'),
  objectives: drillObjectives,
  healthyDeadlineMs: z.number(),
})
export type DrillRequest = z.infer<typeof drillRequest>

const measured = z.object({ seconds: z.number(), objective: z.number(), met: z.boolean() })

/** What the drill of one host came to. */
export const drillResult = z.object({
  backup: z.string(),
  /** Whether all objectives were met. */
  met: z.boolean(),
  /** From the beginning of the restore until the server was ready. */
  rto: measured,
  /** How old what it brought back was then. */
  rpo: z.object({ configuration: measured, state: measured.nullable() }),
  /** Entries that were read again after they were unpacked, and records in the checkpoint and in the database made of it. */
  compared: z.number(),
  records: z.object({ checkpoint: z.number(), restored: z.number() }).nullable(),
  notes: z.array(z.string()),
})
export type DrillResult = z.infer<typeof drillResult>
