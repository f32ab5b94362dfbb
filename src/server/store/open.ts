// Which store a configuration asks for.
import { join } from 'node:path'
import type { ServerConfig } from '../../model/server-config.ts'
import type { EventLog } from '../threads/thread-log.ts'
import type { CountedStore } from './counted.ts'
import { openCommits } from './sqlite/commits.ts'
import { stateFile } from './sqlite/file.ts'
import { createSqliteStore } from './sqlite/store.ts'

export interface StorePlace {
  readonly config: ServerConfig
  /** The folder of the embedded database. */
  readonly dataDir: string
  /** Counts what is written into it, where threads read it beside the store. */
  readonly commits?: SharedArrayBuffer
  /** Before every absolute path of the configuration. */
  readonly root: string
}

/**
 * The store of a configuration.
 * @param log what an operator wants to know of it
 */
export async function openStore(
  { config, dataDir, commits, root }: StorePlace,
  log: Pick<EventLog, 'info' | 'warn'>,
): Promise<CountedStore> {
  if (config.database.driver === 'postgres') {
    // Who keeps records in a file need not load it.
    const { openPostgres } = await import('./postgres/open.ts')
    return openPostgres(config, root, log)
  }
  return createSqliteStore({
    file: join(dataDir, stateFile),
    commits: openCommits(commits),
    onMigrated: ({ from, to, steps }) => {
      log.info({ from, to }, `the database has data schema ${to} now, with ${steps.join('; ')}`)
    },
  })
}
