// The servers that are read from in turn, each watched: one that is away, behind, or no replica (any more) is left out, and
// taken back when it is well.
import { showAddress } from '../../../model/addresses.ts'
import { messageOf } from '../../../model/errors.ts'
import type { Row } from './connection.ts'
import type { NeededBeat } from './freshness.ts'
import { openSession, validateReplica } from './master.ts'
import { createPool, type Pool, type PoolStats } from './pool.ts'
import type { Address, PostgresSettings } from './settings.ts'
import { beatOf, readBeat, type Read } from './statements.ts'
import { QueryFailed, toUnavailable } from './trouble.ts'

export interface Replica {
  /** The rows of a read with the beat that they came with; undefined where the replica could not tell them. */
  read(request: Read<unknown>): Promise<{ readonly rows: readonly Row[]; readonly beat: number } | undefined>
}

export interface Replicas {
  /** The next one in turn that is well and has shown this beat; undefined where there is none. */
  next(needed: number): Replica | undefined
  state(): readonly ReplicaState[]
  close(): Promise<void>
}

export interface ReplicaState extends PoolStats {
  readonly address: string
  /** Why it is not read from. */
  readonly out: string | undefined
}

export interface WatchOptions {
  readonly settings: PostgresSettings
  /** The name of this process's row of beats. */
  readonly server: string
  readonly oldest: () => NeededBeat
  /** Told when a replica is left out, and when it is taken back. */
  readonly onChange: (address: string, out: string | undefined) => void
}

const watchMs = 1000
const lookLimitMs = 2000
// The master answers instead.
const readLimitMs = 5000

interface Watched extends Replica {
  readonly address: string
  readonly pool: Pool
  beat: number
  out: string | undefined
  look(): Promise<void>
}

/** Begins to watch them at once; none is read from before it has shown a beat. */
export function watchReplicas(options: WatchOptions): Replicas {
  const all = options.settings.replicas.map((address) => watch(address, options))
  const timer = setInterval(() => {
    for (const replica of all) void replica.look()
  }, watchMs)
  let turn = 0
  return {
    next(needed) {
      for (let tried = 0; tried < all.length; tried += 1) {
        turn = (turn + 1) % all.length
        const replica = all[turn]
        if (replica !== undefined && replica.out === undefined && replica.beat >= needed) return replica
      }
      return undefined
    },
    state: () => all.map(({ address, out, pool }) => ({ address, out, ...pool.stats() })),
    async close() {
      clearInterval(timer)
      await Promise.all(all.map(({ pool }) => pool.close()))
    },
  }
}

function watch(at: Address, { settings, server, oldest, onChange }: WatchOptions): Watched {
  const opening = { address: at, login: settings.login, limitMs: settings.pool.connectMs }
  let looking = false
  const change = (out: string | undefined): void => {
    if (out !== replica.out) onChange(replica.address, out)
    replica.out = out
  }
  const pool = createPool({
    limits: settings.pool,
    open: (onLost) => openSession(opening, onLost),
    validate: validateReplica,
    onChange: (state) => {
      if (!state.up) change(reasonOf(state.fault))
    },
  })
  const ask = () => pool.run((one) => one.query(readBeat, [server], lookLimitMs), { urgent: true })

  const replica: Watched = {
    address: showAddress(at.host, at.port),
    pool,
    beat: 0,
    out: 'it has not been asked yet',
    async look() {
      if (looking) return
      looking = true
      try {
        const rows = await ask()
        replica.beat = beatOf(rows)
        change(faultOf(rows, oldest()))
      } catch (error) {
        change(reasonOf(error))
      } finally {
        looking = false
      }
    },
    async read({ onReplica, values }) {
      try {
        const rows = await pool.run((one) => one.query(onReplica, [...values, server], readLimitMs))
        const beat = beatOf(rows)
        replica.beat = beat
        return { rows, beat }
      } catch (error) {
        // What replay is in the way of (SQLSTATE 40001) says nothing of the next read.
        if (!(error instanceof QueryFailed && error.trouble.kind === 'again')) change(reasonOf(error))
        return undefined
      }
    },
  }
  return replica
}

function faultOf(rows: readonly Row[], oldest: NeededBeat): string | undefined {
  if (rows[0]?.standby !== true) return 'it is not a replica'
  if (oldest === undefined) return 'the master has not been asked yet'
  return beatOf(rows) < oldest ? 'it is too far behind the master' : undefined
}

/** For the log, so with what the system or the server said. */
function reasonOf(error: unknown): string {
  const told = toUnavailable(error)
  const cause = told instanceof Error ? told.cause : undefined
  return cause === undefined ? messageOf(told) : `${messageOf(told)}: ${messageOf(cause)}`
}
