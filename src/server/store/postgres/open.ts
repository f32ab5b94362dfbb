// PostgreSQL for a configuration: all that the rest of the server needs of the driver, loaded where it is configured.
import type { ServerConfig } from '../../../model/server-config.ts'
import type { EventLog } from '../../threads/thread-log.ts'
import { idempotencyKeptMs } from '../port.ts'
import { postgresSettings } from './settings.ts'
import { postgresStore, type PostgresStore } from './store.ts'

export { askPostgres, migratePostgres } from './migrate.ts'
export { postgresSettings }

/**
 * The store of a configuration whose `database.driver` is `postgres`.
 * @param root before every absolute path of the configuration
 */
export const openPostgres = (config: ServerConfig, root: string, log: Pick<EventLog, 'info' | 'warn'>): PostgresStore =>
  postgresStore({
    settings: postgresSettings(config, root),
    keptMs: idempotencyKeptMs,
    notify: ({ level, message, reason }) => log[level](reason === undefined ? {} : { reason }, message),
  })
