// Records in PostgreSQL: written on one master, read from its replicas in turn where there are any.
import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { messageOf } from '../../../model/errors.ts'
import { StoreUnavailable, type RecordId, type Store } from '../port.ts'
import { statementLimitMs, type Row, type Statement, type Value } from './connection.ts'
import { createFreshness } from './freshness.ts'
import { masterOpener, validateMaster } from './master.ts'
import { createPool, type PoolStats } from './pool.ts'
import { watchReplicas, type ReplicaState } from './replicas.ts'
import type { PostgresSettings } from './settings.ts'
import {
  beatOf,
  expireBeats,
  expireKeys,
  getRecord,
  listRecords,
  outcomeOf,
  readBeat,
  writeBeat,
  writeRecord,
  type Read,
} from './statements.ts'
import { NoAnswer, QueryFailed, toUnavailable } from './trouble.ts'

/** Something that an operator wants to know; for the log, so with addresses. */
export interface StoreNotice {
  readonly level: 'info' | 'warn'
  readonly message: string
  readonly reason?: string
}

export interface PostgresStore extends Store {
  /** Removes idempotency keys whose time is over, in steps; done every minute by itself. */
  clean(): Promise<void>
  /** How things stand now. */
  state(): { readonly master: PoolStats; readonly replicas: readonly ReplicaState[] }
  /** The same as figures. */
  stats(): PostgresFigures
}

export type PostgresFigures = Readonly<
  Record<'connectionsOpen' | 'connectionsIdle' | 'connectionsWaiting' | 'replicasUsed' | 'replicasLeftOut', number>
>

export interface PostgresOptions {
  readonly settings: PostgresSettings
  readonly notify: (notice: StoreNotice) => void
  /** How long idempotency keys are kept, in ms. */
  readonly keptMs: number
}

// A replica streams within milliseconds; one that is seconds behind has a reason, and its readers would see the past. The
// master is asked every second, so this is two to three of its beats.
const mostLagMs = 3000
const beatMs = 1000
// Whoever asks whether all is well waits no longer (server/health.ts).
const verifyLimitMs = 2000
const cleanMs = 60_000
const cleanAtOnce = 1000
const mostTries = 5
const longestPauseMs = 20

/** Opens the store: connects at once and goes on trying; until then its methods throw StoreUnavailable. */
export function postgresStore({ settings, notify, keptMs }: PostgresOptions): PostgresStore {
  const server = randomUUID()
  const freshness = createFreshness(mostLagMs, () => performance.now())
  const opening = { address: settings.master, login: settings.login, limitMs: settings.pool.connectMs }
  const master = createPool({
    limits: settings.pool,
    open: masterOpener(opening, (done) => {
      for (const { version, about } of done) notify({ level: 'info', message: `data schema ${version} made: ${about}` })
    }),
    validate: validateMaster,
    onChange: (state) =>
      notify(
        state.up
          ? { level: 'info', message: 'the database can be used' }
          : { level: 'warn', message: state.fault.reason, reason: messageOf(state.fault.cause ?? state.fault) },
      ),
  })
  const replicas = watchReplicas({
    settings,
    server,
    oldest: freshness.oldest,
    onChange: (address, out) =>
      notify(
        out === undefined
          ? { level: 'info', message: `read replica ${address} is read from` }
          : { level: 'warn', message: `read replica ${address} is left out`, reason: out },
      ),
  })
  const replicated = settings.replicas.length > 0

  const onMaster = (statement: Statement, values: readonly Value[]): Promise<readonly Row[]> =>
    master.run((connection) => connection.query(statement, values))

  const read = async <Result>(name: string, request: Read<Result>): Promise<Result> => {
    const needed = replicated ? freshness.needed(name) : undefined
    const found = needed === undefined ? undefined : await replicas.next(needed)?.read(request)
    if (needed !== undefined && found !== undefined && found.beat >= needed) return request.result(found.rows)
    return request.result(await retried(() => onMaster(request.statement, request.values), mayRepeatRead))
  }

  const beat = async (limitMs: number): Promise<number> => {
    const { number, written, failed } = freshness.begin()
    try {
      await master.run((one) => one.query(writeBeat, [server, number], limitMs), { urgent: true })
      written()
      return number
    } catch (error) {
      failed()
      throw error
    }
  }

  const clean = async (): Promise<void> => {
    for (let count = cleanAtOnce; count === cleanAtOnce;) {
      const [row] = await onMaster(expireKeys, [keptMs, cleanAtOnce])
      count = Number(row?.count ?? 0)
    }
    await onMaster(expireBeats, [])
  }

  const state = () => ({ master: master.stats(), replicas: replicas.state() })
  const stopped = [...(replicated ? [every(beatMs, () => beat(statementLimitMs))] : []), every(cleanMs, clean)]

  return {
    get: (id) => told(read(nameOf(id), getRecord(id))),
    list: (request) => told(read(request.collection, listRecords(request))),
    write: (write) => {
      const { statement, values } = writeRecord(write)
      const attempt = () =>
        master.run(async (connection) => {
          try {
            return outcomeOf(await connection.query(statement, values))
          } finally {
            // Also where it failed: what was sent may have happened.
            if (replicated) freshness.wrote(nameOf(write), write.collection)
          }
        })
      return told(retried(attempt, mayRepeatWrite))
    },
    verify: () =>
      told(
        (async () => {
          const number = await beat(verifyLimitMs)
          const rows = await master.run((one) => one.query(readBeat, [server], verifyLimitMs), { urgent: true })
          if (beatOf(rows) < number) throw new StoreUnavailable('the database does not give back what was written')
        })(),
      ),
    clean: () => told(clean()),
    state,
    stats: () => figuresOf(state()),
    async close() {
      for (const stop of stopped) stop()
      await Promise.all([master.close(), replicas.close()])
    },
  }
}

/** Connections to the master and its replicas together. */
function figuresOf({ master, replicas }: ReturnType<PostgresStore['state']>): PostgresFigures {
  const sum = (name: keyof PoolStats): number => replicas.reduce((total, { [name]: one }) => total + one, master[name])
  const used = replicas.filter(({ out }) => out === undefined).length
  return {
    connectionsOpen: sum('open'),
    connectionsIdle: sum('idle'),
    connectionsWaiting: sum('waiting'),
    replicasUsed: used,
    replicasLeftOut: replicas.length - used,
  }
}

// No collection has a slash in its name, so that no record is called as a collection is.
const nameOf = ({ collection, key }: RecordId): string => `${collection}/${key}`

/** A read that met a dead connection changes nothing by being asked again; a server that is silent would be silent again. */
const mayRepeatRead = ({ trouble, cause }: QueryFailed): boolean =>
  mayRepeatWrite({ trouble }) || (trouble.kind === 'lost' && !(cause instanceof NoAnswer))

/** Only what surely did not happen is written again. */
const mayRepeatWrite = ({ trouble }: Pick<QueryFailed, 'trouble'>): boolean =>
  trouble.kind === 'again' || trouble.kind === 'stale'

async function retried<Result>(
  attempt: () => Promise<Result>,
  mayRepeat: (failure: QueryFailed) => boolean,
): Promise<Result> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await attempt()
    } catch (error) {
      if (tries === mostTries || !(error instanceof QueryFailed) || !mayRepeat(error)) throw error
      await pause(Math.random() * longestPauseMs * tries)
    }
  }
}

async function told<Result>(result: Promise<Result>): Promise<Result> {
  try {
    return await result
  } catch (error) {
    throw toUnavailable(error)
  }
}

/** Does something now and again and again, never twice at once; what fails is done again next time. */
function every(intervalMs: number, work: () => Promise<unknown>): () => void {
  let busy = false
  const start = (): void => {
    if (busy) return
    busy = true
    const done = (): void => void (busy = false)
    work().then(done, done)
  }
  start()
  const timer = setInterval(start, intervalMs)
  return () => clearInterval(timer)
}
