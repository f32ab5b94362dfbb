// The statements of the SQLite store, prepared once for a file, with rows made into what the port speaks of.
import type { DatabaseSync, SQLOutputValue, StatementSync } from 'node:sqlite'
import { mostOfPage, type ListRequest, type RecordId, type RecordPage, type StoredRecord } from '../port.ts'

type Row = Record<string, SQLOutputValue>

/** What was once answered to an idempotency key. */
export interface Remembered {
  readonly request: string
  readonly kind: string
  readonly version: number | undefined
}

/** What reads alone. */
export interface Reads {
  /** Begins a transaction: all that is read until it ends is of the same moment, that of the first read. */
  readonly enter: () => void
  readonly leave: () => void
  readonly get: (id: RecordId) => StoredRecord | undefined
  readonly list: (request: ListRequest) => RecordPage
}

export interface Statements extends Reads {
  readonly begin: () => void
  readonly commit: () => void
  readonly rollback: () => void
  /** The row and the version of a record. */
  readonly find: (id: RecordId) => { readonly row: number; readonly version: number } | undefined
  readonly insert: (id: RecordId, record: Omit<StoredRecord, 'key'>) => void
  readonly replace: (row: number, record: Omit<StoredRecord, 'key'>) => void
  readonly remove: (row: number) => void
  readonly lastVersion: () => number
  readonly setLastVersion: (version: number) => void
  readonly remembered: (key: string) => Remembered | undefined
  readonly remember: (key: string, answer: Remembered, atMs: number) => void
  /** Removes at most so many idempotency keys that are older. */
  readonly forget: (beforeMs: number, most: number) => void
  readonly setHealthCheck: (atMs: number) => void
  readonly healthCheck: () => number | undefined
  /** Runs what may fail alone: then nothing of it is there, and the transaction goes on. */
  readonly apart: <T>(work: () => T) => T
}

export function prepareReads(db: DatabaseSync): Reads {
  const [enter, leave] = [db.prepare('BEGIN'), db.prepare('COMMIT')]
  const columns = 'key, value, version, updated_ms'
  const get = db.prepare('SELECT value, version, updated_ms FROM records WHERE collection = ? AND key = ?')
  // A row as an object costs twice as much.
  get.setReturnArrays(true)
  const pageOf = (from: string) =>
    db.prepare(
      `SELECT ${columns} FROM records WHERE collection = ? AND key ${from} ? AND key < CAST(? AS TEXT) ORDER BY key LIMIT ?`,
    )
  const [listFrom, listAfter] = [pageOf('>='), pageOf('>')]
  return {
    enter: () => void enter.run(),
    leave: () => void leave.run(),
    get({ collection, key }) {
      const row = get.get(collection, key) as unknown as [string, number, number] | undefined
      return row === undefined ? undefined : { key, value: row[0], version: row[1], updatedMs: row[2] }
    },
    list({ collection, prefix, after, limit }) {
      const start = Buffer.from(prefix)
      // No byte of UTF-8 is 0xff: it is above all that begins with the prefix.
      const end = Buffer.concat([start, Buffer.of(0xff)])
      const goesOn = Buffer.compare(Buffer.from(after), start) >= 0 && after !== ''
      const rows = (goesOn ? listAfter : listFrom).iterate(collection, goesOn ? after : prefix, end, limit + 1)
      return pageOfRows(rows, limit)
    },
  }
}

export function prepareStatements(db: DatabaseSync): Statements {
  const [begin, commit, rollback] = ['BEGIN IMMEDIATE', 'COMMIT', 'ROLLBACK'].map((sql) => db.prepare(sql)) as Plain
  const [open, keep, drop] = ['SAVEPOINT one', 'RELEASE one', 'ROLLBACK TO one'].map((sql) => db.prepare(sql)) as Plain
  const find = db.prepare('SELECT id, version FROM records WHERE collection = ? AND key = ?')
  const insert = db.prepare('INSERT INTO records (collection, key, value, version, updated_ms) VALUES (?, ?, ?, ?, ?)')
  const replace = db.prepare('UPDATE records SET value = ?, version = ?, updated_ms = ? WHERE id = ?')
  const remove = db.prepare('DELETE FROM records WHERE id = ?')
  const lastVersion = db.prepare('SELECT version FROM last_version WHERE id = 1')
  const setLastVersion = db.prepare('UPDATE last_version SET version = ? WHERE id = 1')
  const remembered = db.prepare('SELECT request, kind, version FROM idempotency WHERE key = ?')
  const remember = db.prepare('INSERT INTO idempotency (key, request, kind, version, at_ms) VALUES (?, ?, ?, ?, ?)')
  const forget = db.prepare(
    'DELETE FROM idempotency WHERE key IN (SELECT key FROM idempotency WHERE at_ms < ? ORDER BY at_ms LIMIT ?)',
  )
  const setHealthCheck = db.prepare(
    'INSERT INTO health_check (id, at) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET at = excluded.at',
  )
  const healthCheck = db.prepare('SELECT at FROM health_check WHERE id = 1')

  return {
    ...prepareReads(db),
    begin: () => void begin.run(),
    commit: () => void commit.run(),
    rollback: () => void rollback.run(),
    find({ collection, key }) {
      const found = find.get(collection, key)
      return found === undefined ? undefined : { row: Number(found.id), version: Number(found.version) }
    },
    insert: ({ collection, key }, { value, version, updatedMs }) =>
      void insert.run(collection, key, value, version, updatedMs),
    replace: (row, { value, version, updatedMs }) => void replace.run(value, version, updatedMs, row),
    remove: (row) => void remove.run(row),
    lastVersion: () => Number(lastVersion.get()?.version),
    setLastVersion: (version) => void setLastVersion.run(version),
    remembered(key) {
      const row = remembered.get(key)
      if (row === undefined) return undefined
      const version = row.version === null ? undefined : Number(row.version)
      return { request: String(row.request), kind: String(row.kind), version }
    },
    remember: (key, { request, kind, version }, atMs) => void remember.run(key, request, kind, version ?? null, atMs),
    forget: (beforeMs, most) => void forget.run(beforeMs, most),
    setHealthCheck: (atMs) => void setHealthCheck.run(atMs),
    healthCheck() {
      const row = healthCheck.get()
      return row === undefined ? undefined : Number(row.at)
    },
    apart(work) {
      open.run()
      try {
        const result = work()
        keep.run()
        return result
      } catch (error) {
        // Some errors have rolled everything back already.
        if (db.isTransaction) {
          drop.run()
          keep.run()
        }
        throw error
      }
    },
  }
}

type Plain = [StatementSync, StatementSync, StatementSync]

function pageOfRows(rows: Iterable<Row>, limit: number): RecordPage {
  const records: StoredRecord[] = []
  let size = 0
  for (const row of rows) {
    const record = recordOf(row)
    size += record.value.length
    if (records.length === limit || (records.length > 0 && size > mostOfPage)) return { records, more: true }
    records.push(record)
  }
  return { records, more: false }
}

const recordOf = (row: Row): StoredRecord => ({
  key: String(row.key),
  value: String(row.value),
  version: Number(row.version),
  updatedMs: Number(row.updated_ms),
})
