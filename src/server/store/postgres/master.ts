// Connections to the write master: what a session must be like, and the data schema.
import { dataSchema } from '../../../model/data-schema.ts'
import { StoreUnavailable } from '../port.ts'
import { openConnection, statementLimitMs, type Connection, type Opening } from './connection.ts'
import { findSchema, migrateBy, type Migration, type SchemaFound } from './schema.ts'
import { QueryFailed, takesNoWrites } from './trouble.ts'

// What the driver relies on, whatever the defaults of the server, the database or the user are. A commit that is not on the
// disk would be acknowledged with `synchronous_commit` off; its other values promise that or more, and stay.
const session = {
  text: `SELECT set_config('default_transaction_isolation', 'read committed', false),
    set_config('statement_timeout', '${statementLimitMs}', false),
    set_config('lock_timeout', '${statementLimitMs}', false),
    set_config('idle_in_transaction_session_timeout', '${statementLimitMs}', false),
    set_config('synchronous_commit', CASE current_setting('synchronous_commit')
      WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false),
    current_setting('server_encoding') AS encoding`,
}

const readOnly = { name: 'read_only', text: `SELECT current_setting('transaction_read_only') = 'on' AS read_only` }

// A connection that answers does so in milliseconds; a caller waits for this look.
const validateLimitMs = 2000

/** Connects with a session as both the master's and a replica's are. */
export async function openSession(opening: Opening, onLost: () => void): Promise<Connection> {
  const connection = await openConnection(opening, onLost)
  try {
    const [row] = await connection.query(session, [], opening.limitMs)
    if (row?.encoding !== 'UTF8') throw new StoreUnavailable("the database's encoding is not UTF8")
    return connection
  } catch (error) {
    connection.close()
    throw error
  }
}

/** @throws QueryFailed where the server takes no writes (any more), or does not answer */
export async function validateMaster(connection: Connection): Promise<void> {
  const [row] = await connection.query(readOnly, [], validateLimitMs)
  if (row?.read_only !== false) throw new QueryFailed({ kind: 'read-only' }, new StoreUnavailable(takesNoWrites))
}

export async function validateReplica(connection: Connection): Promise<void> {
  await connection.query({ text: 'SELECT 1' }, [], validateLimitMs)
}

/**
 * Opens connections to the master, the first of which brings the data schema up to this release's.
 * @param onMigrated told what was done
 */
export function masterOpener(
  opening: Opening,
  onMigrated: (done: readonly Migration[]) => void,
): (onLost: () => void) => Promise<Connection> {
  // Without the right to migrate it is not tried again: an administrator does it, and the next connection sees that.
  let denied = false

  const bringUp = async (connection: Connection): Promise<void> => {
    let found = await findSchema(connection)
    if (found.version < dataSchema.writes && !denied) {
      try {
        const done = await migrateBy(connection)
        if (done.length > 0) onMigrated(done)
        found = await findSchema(connection)
      } catch (error) {
        denied = isDenied(error)
        if (!denied) throw error
        throw new StoreUnavailable(refusalOf(found) ?? takesNoWrites, { cause: error })
      }
    }
    const refusal = refusalOf(found)
    if (refusal !== undefined) throw new StoreUnavailable(refusal)
  }

  return async (onLost) => {
    const connection = await openSession(opening, onLost)
    try {
      await validateMaster(connection)
      await bringUp(connection)
      return connection
    } catch (error) {
      connection.close()
      throw error
    }
  }
}

/** Why this release does not work with a data schema; undefined where it does. */
export function refusalOf({ version, needs }: SchemaFound): string | undefined {
  if (version > dataSchema.reads.to && needs > dataSchema.writes) {
    return `the database has data schema ${version}, and this release knows only up to ${dataSchema.reads.to}`
  }
  return version < dataSchema.writes
    ? `the database has data schema ${version}, and this release needs ${dataSchema.writes}: run network_server migrate`
    : undefined
}

const isDenied = (error: unknown): boolean =>
  error instanceof QueryFailed &&
  error.cause instanceof Error &&
  'code' in error.cause &&
  // insufficient_privilege
  error.cause.code === '42501'
