// The schema of the data that a release leaves on a host: what decides whether an older release may take over.
import * as z from 'zod'

/**
 * The numbers of the data schemas that this release reads, from and to, and the one that it writes; the same for every
 * store (`PRAGMA user_version` in SQLite). What is older than what it writes is migrated. 1: only the row of the health
 * check. 2: records and idempotency keys.
 */
export const dataSchema = { reads: { from: 1, to: 2 }, writes: 2 } as const

/** What a database server says of the data on it. */
export const dataSchemaFound = z.object({
  /** The data schema that is there; 0 for none. */
  schema: z.int().min(0),
  /** Releases that write this one, or a later one, work with it too. */
  needs: z.int().min(0),
})
export type DataSchemaFound = Readonly<z.infer<typeof dataSchemaFound>>
