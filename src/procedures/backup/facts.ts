// What of a host can be backed up: which folders are there, where its state is, which backups it has.
import { basename, join } from 'node:path'
import { checkServerConfig } from '../../config/server-config.ts'
import type { HostReader } from '../../drivers/hosts/port.ts'
import { below, hostPaths } from '../../model/paths.ts'
import { entryIds } from '../../backups/catalogue.ts'
import { readClock } from '../gc/clean-up.ts'
import type { BackupRequest } from './request.ts'

export interface BackupFacts {
  /** The host's clock, in ms since 1970. */
  readonly now: number
  /** Those of the paths that are there. */
  readonly there: readonly string[]
  /** Where the state is: in a file on the host, in PostgreSQL, or nowhere yet. */
  readonly state: 'sqlite' | 'postgres' | undefined
  /** The release in service, if any. */
  readonly release: string | undefined
  /** The ids of backups that are there. */
  readonly ids: readonly string[]
}

/** The server's database in its data folder. */
const stateFile = 'state.db'

export async function readBackupFacts(reader: HostReader, request: BackupRequest): Promise<BackupFacts> {
  const { root, paths: wanted } = request
  const paths = hostPaths(root)
  const [now, there, state, link, names] = await Promise.all([
    request.lookedAt ?? readClock(reader),
    Promise.all(wanted.map(async (path) => ((await reader.exists(below(root, path))) ? [path] : []))),
    readState(reader, root),
    reader.readLink(paths.current),
    reader.list(paths.catalogue),
  ])
  return {
    now,
    there: there.flat(),
    state,
    release: link === undefined ? undefined : basename(link),
    ids: entryIds(names),
  }
}

/** Where the service of a host keeps its state, by its configuration. */
export async function readState(reader: HostReader, root: string): Promise<BackupFacts['state']> {
  const { config, dataDir } = hostPaths(root)
  const [text, isThere] = await Promise.all([reader.readText(config), reader.exists(join(dataDir, stateFile))])
  const checked = text === undefined ? undefined : checkServerConfig(text, config, { check: 'keys' })
  // What is wrong with a configuration, others say; what lies there is backed up all the same.
  const driver = checked === undefined || 'problems' in checked ? undefined : checked.value.database.driver
  if (driver === 'postgres') return 'postgres'
  return isThere ? 'sqlite' : undefined
}
