// `network_server migrate` and `data-schema`: brings the store of a configuration to the data schema of this release, or
// only tells which one it has.
import { join } from 'node:path'
import { showAddress } from '../../model/addresses.ts'
import type { DataSchemaFound } from '../../model/data-schema.ts'
import { messageOf, NetopsError } from '../../model/errors.ts'
import type { StorePlace } from './open.ts'
import { StoreUnavailable } from './port.ts'
import { stateFile } from './sqlite/file.ts'
import { migrateSqlite } from './sqlite/migrate.ts'

export interface MigrateOptions {
  /** Only says what it would do. */
  readonly dryRun: boolean
}

/**
 * @returns what was done, or in a dry run would be, line by line
 * @throws NetopsError `failed` where the database cannot be migrated
 */
export async function migrateStore(place: StorePlace, options: MigrateOptions): Promise<readonly string[]> {
  if (place.config.database.driver === 'sqlite') return migrateFile(place, options)
  return migrateServer(place, options)
}

function migrateFile({ dataDir }: StorePlace, options: MigrateOptions): readonly string[] {
  const file = join(dataDir, stateFile)
  try {
    const change = migrateSqlite(file, options)
    if (change === undefined) return [`${file}: not there; the first start makes it`]
    return told(file, change, options)
  } catch (error) {
    throw failedFor(`migrate ${file}`, error)
  }
}

async function migrateServer(place: StorePlace, options: MigrateOptions): Promise<readonly string[]> {
  const { name, settings, migratePostgres } = await serverOf(place)
  try {
    const { from, steps } = await migratePostgres(settings, options)
    const to = steps.at(-1)?.version ?? from
    return told(name, { from, to, steps: steps.map(({ about }) => about) }, options)
  } catch (error) {
    throw failedFor(`migrate ${name}`, error)
  }
}

/** The driver, with its settings and the database as messages name it. */
async function serverOf({ config, root }: StorePlace) {
  const { askPostgres, migratePostgres, postgresSettings } = await import('./postgres/open.ts')
  const settings = postgresSettings(config, root)
  const name = `${showAddress(settings.master.host, settings.master.port)}/${settings.login.database}`
  return { name, settings, askPostgres, migratePostgres }
}

/**
 * Asks which data schema the database has, and changes nothing; for whoever brings another release into service.
 * @throws NetopsError `failed` where it cannot be asked, `refused` where the records are in a file
 */
export async function tellDataSchema(place: StorePlace): Promise<DataSchemaFound & { readonly database: string }> {
  if (place.config.database.driver === 'sqlite') {
    throw new NetopsError('refused', {
      message: `the header of ${join(place.dataDir, stateFile)} says which one it has`,
    })
  }
  const { name, settings, askPostgres } = await serverOf(place)
  try {
    const { version, needs } = await askPostgres(settings)
    return { database: name, schema: version, needs }
  } catch (error) {
    throw failedFor(`ask ${name}`, error)
  }
}

interface Change {
  readonly from: number
  readonly to: number
  readonly steps: readonly string[]
}

function told(name: string, { from, to, steps }: Change, { dryRun }: MigrateOptions): readonly string[] {
  if (steps.length === 0) return [`${name}: has data schema ${to}, nothing to migrate`]
  const [is, adds] = dryRun ? ['would be migrated', 'would add'] : ['migrated', 'added']
  return [`${name}: ${is} from data schema ${from} to ${to}`, ...steps.map((step) => `  ${adds} ${step}`)]
}

/** What is thrown for a database that cannot be used; anything else is a fault of ours. */
function failedFor(what: string, error: unknown): unknown {
  if (!(error instanceof StoreUnavailable)) return error
  const cause = error.cause === undefined ? '' : `: ${messageOf(error.cause)}`
  return new NetopsError('failed', { message: `cannot ${what}: ${error.reason}${cause}`, cause: error })
}
