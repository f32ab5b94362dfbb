// The schema of the data that a release leaves on a host: what decides whether an older release may take over.

/**
 * The numbers of the data schemas that this release reads, from and to, and the one that it writes; the same for every
 * store (`PRAGMA user_version` in SQLite). What is older than what it writes is migrated. 1: only the row of the health
 * check. 2: records and idempotency keys.
 */
export const dataSchema = { reads: { from: 1, to: 2 }, writes: 2 } as const
