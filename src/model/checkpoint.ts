// A checkpoint of the server's state, as whoever took it tells whoever asked for it.
import * as z from 'zod'

const name = /^checkpoint-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})Z\.db$/

/** When a checkpoint of that name was taken, in ms since 1970; undefined for another name. */
export function takenAt(file: string): number | undefined {
  const [, ...parts] = name.exec(file) ?? []
  const [year, month, day, hour, minute, second, ms] = parts
  if (ms === undefined) return undefined
  const at = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}.${ms}Z`)
  return Number.isNaN(at) ? undefined : at
}

/** What the name of the file ends with that holds a checkpoint's hash, as sha256sum writes it. */
export const checkpointHashEnding = '.sha256'

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
