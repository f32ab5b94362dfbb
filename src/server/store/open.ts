// Which store a configuration asks for.
import { join } from 'node:path'
import type { ServerConfig } from '../../model/server-config.ts'
import type { CountedStore } from './counted.ts'
import { stateFile } from './sqlite/file.ts'
import { createSqliteStore } from './sqlite/store.ts'

export interface StorePlace {
  readonly config: ServerConfig
  /** The folder of the embedded database. */
  readonly dataDir: string
  /** Before every absolute path of the configuration. */
  readonly root: string
}

/** The store of a configuration; nothing is opened before it is first asked. */
export function openStore({ dataDir }: StorePlace): CountedStore {
  return createSqliteStore({ file: join(dataDir, stateFile) })
}
