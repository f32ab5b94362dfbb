// `network_server migrate` for PostgreSQL: by hand, where the service's user may not change the data schema, or beforehand.
import { StoreUnavailable } from '../port.ts'
import { openSession, refusalOf, validateMaster } from './master.ts'
import type { Connection } from './connection.ts'
import { findSchema, migrateBy, pendingFrom, type Migration, type SchemaFound } from './schema.ts'
import type { PostgresSettings } from './settings.ts'
import { connectFault } from './trouble.ts'

export interface Migrated {
  /** The data schema that was there; 0 for none. */
  readonly from: number
  /** What was done; in a dry run, what would be. */
  readonly steps: readonly Pick<Migration, 'version' | 'about'>[]
}

/**
 * Brings the data schema up to this release's, in one transaction. Two at once are safe, and so is a server that runs.
 * @throws StoreUnavailable where the master cannot be asked, the user lacks the right, or the schema is newer than this release
 */
export const migratePostgres = (
  settings: PostgresSettings,
  { dryRun }: { readonly dryRun: boolean },
): Promise<Migrated> =>
  withMaster(settings, async (connection) => {
    await validateMaster(connection)
    const found = await findSchema(connection)
    const from = found.version
    const pending = pendingFrom(from)
    const refusal = pending.length === 0 ? refusalOf(found) : undefined
    if (refusal !== undefined) throw new StoreUnavailable(refusal)
    const steps = dryRun ? pending : await migrateBy(connection)
    return { from, steps: steps.map(({ version, about }) => ({ version, about })) }
  })

/**
 * Asks which data schema is there, whether this release knows it or not.
 * @throws StoreUnavailable where the master cannot be asked
 */
export const askPostgres = (settings: PostgresSettings): Promise<SchemaFound> => withMaster(settings, findSchema)

async function withMaster<Result>(
  { master, login, pool }: PostgresSettings,
  work: (connection: Connection) => Promise<Result>,
): Promise<Result> {
  try {
    const connection = await openSession({ address: master, login, limitMs: pool.connectMs }, () => undefined)
    try {
      return await work(connection)
    } finally {
      connection.close()
    }
  } catch (error) {
    throw connectFault(error)
  }
}
