// The data schema of the SQLite store, version by version, and the way from an older one to the newest.
import type { DatabaseSync } from 'node:sqlite'
import { dataSchema } from '../../../model/data-schema.ts'
import { StoreUnavailable } from '../port.ts'

interface Migration {
  readonly to: number
  /** What it adds, for who asks before it is done. */
  readonly what: string
  readonly sql: string
}

/** How two processes that migrate at once wait for each other, in ms: a migration of today's takes milliseconds. */
const migrationLockMs = 10_000

// A released migration is never changed: files that went through it are out there.
const migrations: readonly Migration[] = [
  {
    to: 1,
    what: 'the row of the health check',
    // The first release made the table and its number in two transactions: a crash in between left the table alone.
    sql: 'CREATE TABLE IF NOT EXISTS health_check (id INTEGER PRIMARY KEY CHECK (id = 1), at INTEGER NOT NULL) STRICT',
  },
  {
    to: 2,
    what: 'records, their last version, and idempotency keys',
    // Text compares by its bytes (sqlite.org/datatype3.html, 7). Records keep their rowid: values of some MB inside of
    // the key's own tree would make every search in it slow (sqlite.org/withoutrowid.html, 4).
    sql: `
      CREATE TABLE records (
        id INTEGER PRIMARY KEY,
        collection TEXT NOT NULL,
        key TEXT NOT NULL,
        value TEXT NOT NULL,
        version INTEGER NOT NULL,
        updated_ms INTEGER NOT NULL,
        UNIQUE (collection, key)
      ) STRICT;
      CREATE TABLE last_version (id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL) STRICT;
      INSERT INTO last_version (id, version) VALUES (1, 0);
      CREATE TABLE idempotency (
        key TEXT PRIMARY KEY,
        request TEXT NOT NULL,
        kind TEXT NOT NULL,
        version INTEGER,
        at_ms INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX idempotency_by_age ON idempotency (at_ms);
    `,
  },
]

/** What a migration did, or would do. */
export interface SchemaChange {
  /** 0 for a file without any. */
  readonly from: number
  readonly to: number
  /** What is added, oldest first; none where the file is up to date. */
  readonly steps: readonly string[]
}

/**
 * What migrating a file would do.
 * @throws StoreUnavailable where a newer release wrote it, in a way that this one does not read
 */
export function schemaChange(db: DatabaseSync): SchemaChange {
  const from = schemaOf(db)
  const { reads, writes } = dataSchema
  if (from > reads.to) {
    throw new StoreUnavailable(`the database has data schema ${from}, and this release knows only up to ${reads.to}`)
  }
  return { from, to: Math.max(from, writes), steps: after(from).map(({ what }) => what) }
}

/**
 * Brings a file to the newest data schema, in one transaction; two processes at once do it once.
 * @returns what it did
 * @throws StoreUnavailable where a newer release wrote the file; what SQLite throws
 */
export function migrateSchema(db: DatabaseSync): SchemaChange {
  const seen = schemaChange(db)
  if (seen.steps.length === 0) return seen
  db.exec(`PRAGMA busy_timeout = ${migrationLockMs}`)
  db.exec('BEGIN IMMEDIATE')
  try {
    // Another process may have done it while this one waited.
    const change = schemaChange(db)
    for (const { to, sql } of after(change.from)) {
      db.exec(sql)
      db.exec(`PRAGMA user_version = ${to}`)
    }
    db.exec('COMMIT')
    return change
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK')
    throw error
  }
}

const after = (schema: number) => migrations.filter(({ to }) => to > schema)

const schemaOf = (db: DatabaseSync): number => Number(db.prepare('PRAGMA user_version').get()?.user_version)
