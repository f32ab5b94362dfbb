// What the process that takes a checkpoint is asked for, and what it says came of it.
import * as z from 'zod'

/** What is asked for. */
export const checkpointOrder = z.strictObject({
  database: z.string(),
  folder: z.string(),
  keep: z.int().min(1),
})
export type CheckpointOrder = z.infer<typeof checkpointOrder>

/** What came of it. */
export const takenCheckpoint = z.strictObject({
  path: z.string(),
  bytes: z.int(),
  /** 64 hexadecimal digits. */
  sha256: z.string(),
  /** In ms since 1970, as its name says. */
  takenMs: z.number(),
  /** How long it took, in ms. */
  ms: z.number(),
})
export type TakenCheckpoint = z.infer<typeof takenCheckpoint>
