// The statements of the driver, and what their rows mean.
import {
  mostOfPage,
  type Condition,
  type ListRequest,
  type RecordId,
  type RecordPage,
  type StoredRecord,
  type Write,
  type WriteOutcome,
} from '../port.ts'
import type { Row, Statement, Value } from './connection.ts'
import { schemaName } from './schema.ts'

/** A statement with its values, for the master, and the same for a replica, whose rows also tell its beat. */
export interface Read<Result> {
  readonly statement: Statement
  readonly values: readonly Value[]
  /** Takes the server's name as one value more, at the end. */
  readonly onReplica: Statement
  readonly result: (rows: readonly Row[]) => Result
}

const columns = 'key, value, version, floor(extract(epoch FROM updated) * 1000)::float8 AS updated'

/** The same select for both: what a replica shows comes with its beat in one snapshot, also where it is nothing. */
function pair(
  name: string,
  select: string,
  order: string,
  values: number,
): Pick<Read<unknown>, 'statement' | 'onReplica'> {
  const beat = `(SELECT beat FROM ${schemaName}.beats WHERE server = $${values + 1}) AS beat`
  return {
    statement: { name, text: select },
    onReplica: {
      name: `${name}_replica`,
      text: `SELECT b.beat, r.* FROM (SELECT ${beat}) b LEFT JOIN LATERAL (${select}) r ON true ${order}`,
    },
  }
}

const oneRecord = pair('get', `SELECT ${columns} FROM ${schemaName}.records WHERE collection = $1 AND key = $2`, '', 2)

// How long a text is the server knows without reading it. The first record comes however long it is, or a walk would end.
const page = (bounded: boolean) =>
  pair(
    bounded ? 'list_prefix' : 'list',
    `SELECT ${columns}, matched FROM (
      SELECT *, count(*) OVER () AS matched, sum(size) OVER (ORDER BY key) - size AS before FROM (
        SELECT *, octet_length(value) AS size FROM ${schemaName}.records
        WHERE collection = $1 AND key > $2 AND key >= $3 ${bounded ? 'AND key < $5' : ''} ORDER BY key LIMIT $4
      ) found
    ) counted WHERE before = 0 OR before + size <= ${mostOfPage} ORDER BY key`,
    'ORDER BY r.key',
    bounded ? 5 : 4,
  )
const wholePage = page(false)
const prefixPage = page(true)

export const getRecord = ({ collection, key }: RecordId): Read<StoredRecord | undefined> => ({
  ...oneRecord,
  values: [collection, key],
  result: (rows) => recordsOf(rows)[0],
})

export function listRecords({ collection, prefix, after, limit }: ListRequest): Read<RecordPage> {
  const end = afterPrefix(prefix)
  // One more than asked for tells whether there are more.
  const values = [collection, after, prefix, limit + 1]
  return {
    ...(end === undefined ? wholePage : prefixPage),
    values: end === undefined ? values : [...values, end],
    result: (rows) => {
      const records = recordsOf(rows).slice(0, limit)
      return { records, more: Number(rows[0]?.matched ?? 0) > records.length }
    },
  }
}

/** The beat that the rows of a replica came with. */
export const beatOf = ([row]: readonly Row[]): number => Number(row?.beat ?? 0)

// A replica that has nothing gives one row, of its beat alone.
const recordsOf = (rows: readonly Row[]): readonly StoredRecord[] =>
  rows.flatMap(({ key, value, version, updated }) =>
    typeof key === 'string' && typeof value === 'string'
      ? [{ key, value, version: Number(version), updatedMs: Number(updated) }]
      : [],
  )

const highest = 0x10ffff

/**
 * The first text after all that begin with a prefix, in the order of UTF-8's bytes, which is that of code points;
 * undefined where nothing comes after them.
 */
function afterPrefix(prefix: string): string | undefined {
  const points = Array.from(prefix, (one) => one.codePointAt(0) ?? 0)
  while (points.at(-1) === highest) points.pop()
  const last = points.pop()
  if (last === undefined) return undefined
  // U+D800 to U+DFFF are no characters.
  return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1)
}

const writeStatement: Statement = {
  name: 'write',
  text: `SELECT kind, version, repeated FROM ${schemaName}.write_record($1, $2, $3, $4, $5, $6, $7)`,
}

export const writeRecord = ({ collection, key, value, condition, idempotency }: Write) => ({
  statement: writeStatement,
  values: [
    collection,
    key,
    value ?? null,
    condition.kind,
    versionsOf(condition),
    idempotency?.key ?? null,
    idempotency?.request ?? null,
  ],
})

const versionsOf = (condition: Condition): readonly number[] | null =>
  condition.kind === 'versions' ? condition.versions : null

/** What `write_record` did. */
export function outcomeOf([row]: readonly Row[]): WriteOutcome {
  const repeated = row?.repeated === true
  switch (row?.kind) {
    case 'created':
    case 'replaced':
      return { kind: row.kind, version: Number(row.version), repeated }
    case 'deleted':
      return { kind: 'deleted', repeated }
    case 'missing':
    case 'condition-failed':
    case 'key-reused':
      return { kind: row.kind }
    default:
      throw new Error(`write_record answered ${JSON.stringify(row)}`)
  }
}

export const writeBeat: Statement = {
  name: 'beat',
  text: `INSERT INTO ${schemaName}.beats AS b (server, beat, at) VALUES ($1, $2, clock_timestamp())
    ON CONFLICT (server) DO UPDATE SET beat = greatest(b.beat, excluded.beat), at = excluded.at`,
}

/** Also tells whether this server is a replica at all. */
export const readBeat: Statement = {
  name: 'read_beat',
  text: `SELECT pg_is_in_recovery() AS standby, (SELECT beat FROM ${schemaName}.beats WHERE server = $1) AS beat`,
}

/** Idempotency keys older than $1 ms, at most $2 of them; two servers at once take different ones. */
export const expireKeys: Statement = {
  text: `WITH gone AS (
      DELETE FROM ${schemaName}.idempotency WHERE key = ANY (ARRAY(
        SELECT key FROM ${schemaName}.idempotency WHERE at < clock_timestamp() - $1 * interval '1 millisecond'
        ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED))
      RETURNING 1)
    SELECT count(*)::int AS count FROM gone`,
}

/** The rows of servers that have not been there for a day. */
export const expireBeats: Statement = {
  text: `DELETE FROM ${schemaName}.beats WHERE at < clock_timestamp() - interval '1 day'`,
}
