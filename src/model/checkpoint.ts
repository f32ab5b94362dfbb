// A checkpoint of the server's state, as whoever took it tells whoever asked for it.
import * as z from 'zod'

export const takenCheckpoint = z.strictObject({
  path: z.string(),
  bytes: z.int(),
  /** 64 hexadecimal digits. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** In ms since 1970, as its name says. */
  takenMs: z.number(),
  /** How long it took, in ms. */
  ms: z.number(),
})
export type TakenCheckpoint = z.infer<typeof takenCheckpoint>
