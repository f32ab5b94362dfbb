// Who is asked for the figures of the process: the parts of the service, as the main thread has them.
import { X509Certificate } from 'node:crypto'
import type { SecureContextOptions } from 'node:tls'
import { once } from '../../model/schema-notes.ts'
import type { ServerConfig } from '../../model/server-config.ts'
import { freeDisk, readMemory, type WrittenFolder } from '../checks.ts'
import type { Health } from '../health.ts'
import type { InEffect } from '../reload.ts'
import type { Group } from '../threads/group.ts'
import type { Shared } from '../threads/shared.ts'
import type { Operations } from '../operate/operations.ts'
import type { StoreClient } from '../store/client.ts'
import { lastKnown } from './last-known.ts'
import type { Build, LogReading, ProcessSources, StoreReading } from './process.ts'

interface Parts {
  /** What of the configuration is in effect now. */
  readonly inEffect: () => InEffect
  readonly shared: Shared
  readonly group: Pick<Group, 'running'>
  readonly store: Pick<StoreClient, 'stats'>
  readonly operations: Pick<Operations, 'checkpoint' | 'role'>
  readonly logs: { readonly stats: () => LogReading }
  readonly health: Health
  readonly folders: readonly WrittenFolder[]
}

/** What the metrics of the process are read from at each scrape. */
export function processSources(
  { version, commit, release }: Build,
  { inEffect, shared, group, store, operations, logs, health, folders }: Parts,
): ProcessSources {
  const limit = once(() => readMemory().residentLimit)
  const stats = lastKnown<StoreReading>(store.stats, {})
  return {
    build: { version, commit, release },
    connections: () => ({
      active: shared.open(),
      requests: shared.requests(),
      limit: inEffect().config.server.max_connections,
    }),
    memoryLimit: limit,
    threads: () => ({
      running: { main: 1, serving: group.running(), store: 1 },
      deaths: shared.threads - group.running(),
    }),
    health: () => health.read(),
    maintenance: shared.maintenance,
    role: operations.role,
    store: stats.read,
    poolLimit: poolLimitOf(inEffect().config),
    freeDisk: () => freeDisk(folders),
    checkpointIntervalMs: () => {
      const { database, checkpoint } = inEffect().config
      return database.driver === 'sqlite' ? checkpoint.interval : undefined
    },
    checkpoint: operations.checkpoint,
    log: () => logs.stats(),
    certificates: () => ({ ...expiryOf(inEffect().tls) }),
  }
}

/** The master and each replica have a pool of their own. */
const poolLimitOf = ({ database }: ServerConfig): number =>
  database.driver === 'sqlite' ? 0 : database.pool_size * (1 + (database.read_replicas?.length ?? 0))

/** The end of the server's own certificate; those above it are others' to renew. */
function expiryOf(tls: SecureContextOptions | undefined): { readonly server?: number } {
  const pem = tls?.cert
  if (typeof pem !== 'string' && !Buffer.isBuffer(pem)) return {}
  return { server: new X509Certificate(pem).validToDate.getTime() }
}
