// `network_server migrate`: brings the store of a configuration to the data schema of this release.
import { join } from 'node:path'
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
export function migrateStore({ dataDir }: StorePlace, options: MigrateOptions): readonly string[] {
  const file = join(dataDir, stateFile)
  try {
    const change = migrateSqlite(file, options)
    if (change === undefined) return [`${file}: not there; the first start makes it`]
    const { from, to, steps } = change
    if (steps.length === 0) return [`${file}: has data schema ${to}, nothing to migrate`]
    const [is, adds] = options.dryRun ? ['would be migrated', 'would add'] : ['migrated', 'added']
    return [`${file}: ${is} from data schema ${from} to ${to}`, ...steps.map((step) => `  ${adds} ${step}`)]
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error
    const cause = error.cause === undefined ? '' : `: ${messageOf(error.cause)}`
    throw new NetopsError('failed', { message: `cannot migrate ${file}: ${error.reason}${cause}`, cause: error })
  }
}
