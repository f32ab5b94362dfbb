// What the process that takes a checkpoint is asked for.
import * as z from 'zod'

export const checkpointOrder = z.strictObject({
  database: z.string(),
  folder: z.string(),
  keep: z.int().min(1),
})
export type CheckpointOrder = z.infer<typeof checkpointOrder>
