// Stores over a real PostgreSQL, as a configuration makes them, with what they told.
import { serverConfigSchema } from '../../src/model/server-config.ts'
import { idempotencyKeptMs, StoreUnavailable, type Write, type WriteOutcome } from '../../src/server/store/port.ts'
import { postgresSettings, type PostgresSettings } from '../../src/server/store/postgres/settings.ts'
import { eventually } from './server-process.ts'
import { postgresStore, type PostgresStore, type StoreNotice } from '../../src/server/store/postgres/store.ts'

export const settingsFor = (port: number, database: Readonly<Record<string, unknown>> = {}): PostgresSettings =>
  postgresSettings(
    serverConfigSchema.parse({
      database: { driver: 'postgres', host: '127.0.0.1', port, name: 'postgres', user: 'postgres', ...database },
    }),
    '/',
  )

export interface Opened extends AsyncDisposable {
  readonly store: PostgresStore
  readonly notices: readonly StoreNotice[]
}

export function openStore(settings: PostgresSettings, keptMs = idempotencyKeptMs): Opened {
  const notices: StoreNotice[] = []
  const store = postgresStore({ settings, notify: (notice) => notices.push(notice), keptMs })
  return { store, notices, [Symbol.asyncDispose]: () => store.close() }
}

export const put = (key: string, value: string | undefined, more: Partial<Write> = {}): Write => ({
  ...{ collection: 'things', key, value, condition: { kind: 'always' } },
  ...more,
})

/** The reason of a StoreUnavailable; undefined where all is well. Anything else that is thrown is a fault. */
export async function reasonFor(work: Promise<unknown>): Promise<string | undefined> {
  try {
    await work
    return undefined
  } catch (error) {
    if (error instanceof StoreUnavailable) return error.reason
    throw error
  }
}

export const versionOf = (outcome: WriteOutcome): number => ('version' in outcome ? outcome.version : 0)

/** Waits until this many replicas are read from. */
export const readFromReplicas = ({ store, notices }: Opened, count: number): Promise<void> =>
  eventually(() => {
    if (store.stats().replicasUsed !== count) throw new Error(JSON.stringify({ state: store.state(), notices }))
  })
