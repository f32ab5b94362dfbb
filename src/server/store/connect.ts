// The store as a serving thread has it: over the port of the thread that keeps it, and nearer where the database allows.
import { join } from 'node:path'
import type { MessagePort } from 'node:worker_threads'
import type { ServerConfig } from '../../model/server-config.ts'
import { createStoreClient, type StoreClient } from './client.ts'
import { openCommits } from './sqlite/commits.ts'
import { stateFile } from './sqlite/file.ts'
import { createSqliteReader } from './sqlite/reader.ts'

export interface Connection {
  readonly config: ServerConfig
  /** The folder of the embedded database. */
  readonly dataDir: string
  /** Counts what the store's thread writes into it. */
  readonly commits: SharedArrayBuffer
  /** Where the store answers. */
  readonly store: MessagePort
}

/** Connects a thread with the store. */
export function connectStore({ config, dataDir, commits, store: port }: Connection): StoreClient {
  const client = createStoreClient(port)
  if (config.database.driver !== 'sqlite') return client
  const reader = createSqliteReader(join(dataDir, stateFile), client, openCommits(commits))
  return {
    ...client,
    get: reader.get,
    getNow: reader.getNow,
    list: reader.list,
    async close() {
      await reader.close()
      await client.close()
    },
  }
}
