// The tables and the function that keep records in PostgreSQL, and the way to them from what is there.
import type { Connection } from './connection.ts'

/** Everything lies in a schema of its own, so that what else the database holds, or who may write to `public`, is all one. */
export const schemaName = 'network_service'

export interface Migration {
  /** The data schema that it makes of the one before. */
  readonly version: number
  /** Releases that write this data schema, or a later one, work with it too: hosts are updated one after the other. */
  readonly needs: number
  readonly about: string
  readonly text: string
}

// Keys are compared by their bytes, as SQLite does, whatever the language of the database.
const records = `
CREATE TABLE ${schemaName}.records (
  collection text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  value text NOT NULL,
  version bigint NOT NULL,
  updated timestamptz NOT NULL,
  PRIMARY KEY (collection, key)
);
CREATE SEQUENCE ${schemaName}.record_versions;
CREATE TABLE ${schemaName}.idempotency (
  key text COLLATE "C" PRIMARY KEY,
  request text NOT NULL,
  kind text NOT NULL,
  version bigint,
  at timestamptz NOT NULL
);
CREATE INDEX idempotency_at ON ${schemaName}.idempotency (at);
CREATE TABLE ${schemaName}.beats (
  server text PRIMARY KEY,
  beat bigint NOT NULL,
  at timestamptz NOT NULL
);`

/*
 * A whole write in one round trip. Whoever writes the same key, or uses the same idempotency key, waits for the transaction
 * before it, and then reads what that one left: each statement of a volatile function sees what has been committed by then
 * (documentation, Function Volatility Categories). So two at once need no second try. The first argument of the hash keeps
 * both kinds of locks apart; two different keys with the same hash only wait for each other.
 */
const writeRecord = `
CREATE FUNCTION ${schemaName}.write_record(
  IN p_collection text, IN p_key text, IN p_value text, IN p_condition text, IN p_versions bigint[],
  IN p_idempotency text, IN p_request text, OUT kind text, OUT version bigint, OUT repeated boolean
) LANGUAGE plpgsql VOLATILE AS $function$
DECLARE
  known record;
  current bigint;
BEGIN
  repeated := false;
  IF p_idempotency IS NOT NULL THEN
    PERFORM pg_advisory_xact_lock(hashtextextended(p_idempotency, 1));
    SELECT i.request, i.kind, i.version INTO known FROM ${schemaName}.idempotency i WHERE i.key = p_idempotency;
    IF FOUND THEN
      IF known.request <> p_request THEN
        kind := 'key-reused';
      ELSE
        kind := known.kind;
        version := known.version;
        repeated := true;
      END IF;
      RETURN;
    END IF;
  END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended(p_collection || '/' || p_key, 0));
  SELECT r.version INTO current FROM ${schemaName}.records r WHERE r.collection = p_collection AND r.key = p_key;
  IF NOT (CASE p_condition
    WHEN 'always' THEN true
    WHEN 'absent' THEN current IS NULL
    WHEN 'present' THEN current IS NOT NULL
    WHEN 'versions' THEN coalesce(current = ANY (p_versions), false)
    ELSE false
  END) THEN
    kind := 'condition-failed';
    RETURN;
  END IF;
  IF p_value IS NULL THEN
    kind := CASE WHEN current IS NULL THEN 'missing' ELSE 'deleted' END;
    DELETE FROM ${schemaName}.records r WHERE r.collection = p_collection AND r.key = p_key;
  ELSE
    kind := CASE WHEN current IS NULL THEN 'created' ELSE 'replaced' END;
    -- Ahead of the clock's microseconds: a copy that was restored, or a replica that became the master and lacks the last
    -- writes, does not give out again what clients have seen since. The sequence tells those of one millisecond apart.
    version := nextval('${schemaName}.record_versions');
    version := greatest(version, coalesce(current, 0) + 1,
      floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint * 1000 + version % 1000);
    INSERT INTO ${schemaName}.records AS r (collection, key, value, version, updated)
      VALUES (p_collection, p_key, p_value, write_record.version, clock_timestamp())
      ON CONFLICT ON CONSTRAINT records_pkey DO UPDATE
      SET value = excluded.value, version = excluded.version, updated = excluded.updated;
  END IF;
  IF p_idempotency IS NOT NULL THEN
    INSERT INTO ${schemaName}.idempotency (key, request, kind, version, at)
      VALUES (p_idempotency, p_request, write_record.kind, write_record.version, clock_timestamp());
  END IF;
END
$function$;`

/** By their versions, the last of which is the data schema that this release writes. */
export const migrations: readonly Migration[] = [
  {
    version: 2,
    needs: 2,
    about: 'records, idempotency keys, the beats that replicas are measured by',
    text: records + writeRecord,
  },
]

// Two numbers, so that it is apart from the locks of single keys, which have one ("nsvc", "migr").
const lock = 'pg_advisory_lock(1853060707, 1835624306)'
const unlock = 'pg_advisory_unlock(1853060707, 1835624306)'
// Making an index of many records takes its time.
const stepLimitMs = 600_000

/** What is there: its number, 0 where there is none yet, and the least that a release must write to work with it. */
export interface SchemaFound {
  readonly version: number
  readonly needs: number
}

export async function findSchema(connection: Connection): Promise<SchemaFound> {
  const [found] = await connection.query({
    text: `SELECT to_regclass('${schemaName}.migrations') IS NOT NULL AS there`,
  })
  if (found?.there !== true) return { version: 0, needs: 0 }
  const [row] = await connection.query({
    text: `SELECT coalesce(max(version), 0) AS version, coalesce(max(needs), 0) AS needs FROM ${schemaName}.migrations`,
  })
  return { version: Number(row?.version ?? 0), needs: Number(row?.needs ?? 0) }
}

/** What is still to be done from a version on. */
export const pendingFrom = (version: number): readonly Migration[] =>
  migrations.filter((migration) => migration.version > version)

/**
 * Brings the data schema up to this release's in one transaction. Two at once are safe: the second one waits, and finds
 * nothing to do. A newer schema is left as it is.
 * @returns what was done
 * @throws QueryFailed; nothing has changed then, and the connection is closed
 */
export async function migrateBy(connection: Connection): Promise<readonly Migration[]> {
  const run = (text: string) => connection.query({ text }, [], stepLimitMs)
  try {
    // Before the transaction, not in it: a transaction goes on believing that a schema is not there which it once did not
    // find, until it locks a table.
    await run(`SELECT ${lock}`)
    await run('BEGIN')
    await run(`SELECT set_config('statement_timeout', '${stepLimitMs}', true)`)
    const pending = pendingFrom((await findSchema(connection)).version)
    if (pending.length > 0) await prepare(run)
    for (const { version, needs, about, text } of pending) {
      await run(text)
      await connection.query(
        {
          text: `INSERT INTO ${schemaName}.migrations (version, needs, about, at) VALUES ($1, $2, $3, clock_timestamp())`,
        },
        [version, needs, about],
      )
    }
    await run('COMMIT')
    await run(`SELECT ${unlock}`)
    return pending
  } catch (error) {
    // With it go the transaction and the lock.
    connection.close()
    throw error
  }
}

async function prepare(run: (text: string) => ReturnType<Connection['query']>): Promise<void> {
  // Not without looking: IF NOT EXISTS wants the right to make schemas even where an administrator has made this one.
  const [there] = await run(`SELECT to_regnamespace('${schemaName}') IS NOT NULL AS there`)
  if (there?.there !== true) await run(`CREATE SCHEMA ${schemaName}`)
  await run(
    `CREATE TABLE IF NOT EXISTS ${schemaName}.migrations (
      version int PRIMARY KEY, needs int NOT NULL, about text NOT NULL, at timestamptz NOT NULL)`,
  )
}
