// The connections to one server: most so many, some kept open, each looked at before it is handed out. The pool of pg's own
// package opens none before it is asked to, and looks at new connections alone.
import { StoreUnavailable } from '../port.ts'
import type { Connection } from './connection.ts'
import type { PoolLimits } from './settings.ts'
import { connectFault, NoAnswer, QueryFailed, type Trouble } from './trouble.ts'

export interface PoolOptions {
  readonly limits: PoolLimits
  /** Connects, logs in, and looks whether the server is the one that is wanted; `onLost` when the connection is gone. */
  readonly open: (onLost: () => void) => Promise<Connection>
  /** Asks an open connection whether it still is what `open` gave. */
  readonly validate: (connection: Connection) => Promise<void>
  /** Told when the first connection is there, and when no other can be made. */
  readonly onChange: (state: { readonly up: true } | { readonly up: false; readonly fault: StoreUnavailable }) => void
}

export interface PoolStats {
  readonly open: number
  readonly idle: number
  /** Callers that wait for a connection. */
  readonly waiting: number
}

export interface Pool {
  /**
   * Does work with a connection that nobody else has meanwhile.
   * @param urgent before all others that wait, and however many they are
   * @throws StoreUnavailable when there is none: at once where the server cannot be reached, else within seconds
   */
  run<T>(work: (connection: Connection) => Promise<T>, options?: { readonly urgent?: boolean }): Promise<T>
  stats(): PoolStats
  /** Waits a while for the work under way. */
  close(): Promise<void>
}

// A connection that was in use a moment ago is not asked again: that would double the round trips of a busy server. What
// breaks in that moment is a lost connection in use: reads are repeated on another one, writes are told as unavailable.
const trustedMs = 1000
// Longer than any queue that still moves: 20 connections do thousands of requests in this time.
const longestWaitMs = 5000
const mostWaiting = 5000
const firstBackoffMs = 100
const longestBackoffMs = 2000
const tickMs = 1000
const closeLimitMs = 5000

interface Member {
  readonly connection: Connection
  readonly generation: number
  usedMs: number
}

interface Waiter {
  readonly take: (member: Member) => void
  readonly fail: (error: StoreUnavailable) => void
}

const stopping = (): StoreUnavailable => new StoreUnavailable('the server is stopping')
const exhausted = (): StoreUnavailable => new StoreUnavailable('all connections to the database are in use')

/** Begins to connect at once. */
export function createPool({ limits, open, validate, onChange }: PoolOptions): Pool {
  // The one that was used last is at the end, and is taken first: those that are too many grow old at the beginning.
  const idle: Member[] = []
  const waiters: Waiter[] = []
  const waitMs = Math.min(limits.connectMs, longestWaitMs)
  let members = 0
  let opening = 0
  let generation = 0
  /** Why nobody waits now; the server has not been heard since. */
  let fault: StoreUnavailable | undefined
  let backoffMs = firstBackoffMs
  let retry: NodeJS.Timeout | undefined
  let up: boolean | undefined
  /** When the server was heard last: it answered something, or took a connection. */
  let heardMs = performance.now()
  let closing = false
  let emptied: (() => void) | undefined

  const room = (): number => limits.size - members - opening

  const serve = (): void => {
    while (idle.length > 0 && waiters.length > 0) {
      const member = idle.pop()
      if (member !== undefined) waiters.shift()?.take(member)
    }
    // While connecting fails, the retry alone tries.
    if (closing || retry !== undefined) return
    const wanted = Math.max(waiters.length, limits.minIdle - idle.length) - opening
    for (let count = Math.min(wanted, room()); count > 0; count -= 1) void connect()
  }

  const connect = async (): Promise<void> => {
    opening += 1
    const member: { current?: Member } = {}
    const born = generation
    try {
      const connection = await open(() => lose(member.current))
      member.current = { connection, generation: born, usedMs: performance.now() }
      opening -= 1
      members += 1
      heard()
      backoffMs = firstBackoffMs
      release(member.current)
    } catch (error) {
      opening -= 1
      failed(connectFault(error))
    }
  }

  const heard = (): void => {
    heardMs = performance.now()
    fault = undefined
    if (up !== true) onChange({ up: true })
    up = true
  }

  const failed = (why: StoreUnavailable): void => {
    if (closing) return
    if (members === 0) down(why)
    if (retry !== undefined) return
    // Not all servers of a fleet at once.
    retry = setTimeout(again, backoffMs * (0.5 + Math.random() / 2))
    backoffMs = Math.min(backoffMs * 2, longestBackoffMs)
  }

  /** From now on nobody waits any more, until the server is heard. */
  const down = (why: StoreUnavailable): void => {
    fault = why
    if (up !== false) onChange({ up: false, fault: why })
    up = false
    for (const waiter of waiters.splice(0)) waiter.fail(why)
  }

  const again = (): void => {
    retry = undefined
    // Where nothing is open, one tries for all.
    if (members === 0 && opening === 0 && !closing) void connect()
    else serve()
  }

  const discard = (member: Member): void => {
    members -= 1
    member.connection.close()
    if (!closing) serve()
    else if (members === 0) emptied?.()
  }

  const lose = (member: Member | undefined): void => {
    // One that is in use is discarded by whoever gives it back.
    const at = member === undefined ? -1 : idle.indexOf(member)
    const [lost] = at < 0 ? [] : idle.splice(at, 1)
    if (lost !== undefined) discard(lost)
  }

  const release = (member: Member): void => {
    if (member.connection.lost || member.generation !== generation || closing) return discard(member)
    member.usedMs = performance.now()
    idle.push(member)
    serve()
  }

  const dropIdle = (): void => {
    for (const member of idle.splice(0)) discard(member)
  }

  const acquire = (urgent: boolean): Promise<Member> => {
    if (closing) return Promise.reject(stopping())
    const free = idle.pop()
    if (free !== undefined) return Promise.resolve(free)
    if (fault !== undefined) return Promise.reject(fault)
    if (!urgent && waiters.length >= mostWaiting) return Promise.reject(exhausted())
    return new Promise((resolve, reject) => {
      const sinceMs = performance.now()
      const leave = (): void => {
        waiters.splice(waiters.indexOf(waiter), 1)
        const why = members > 0 ? exhausted() : connectFault(new NoAnswer(waitMs))
        reject(why)
        // A queue that moves is worth waiting in; where nothing has come all the time, the next ones would wait in vain.
        if (heardMs < sinceMs) down(why)
      }
      const timer = setTimeout(leave, waitMs)
      const waiter: Waiter = {
        take: (member) => {
          clearTimeout(timer)
          resolve(member)
        },
        fail: (error) => {
          clearTimeout(timer)
          reject(error)
        },
      }
      if (urgent) waiters.unshift(waiter)
      else waiters.push(waiter)
      serve()
    })
  }

  const checkedOut = async (urgent: boolean): Promise<Member> => {
    for (;;) {
      const member = await acquire(urgent)
      if (performance.now() - member.usedMs < trustedMs) return member
      try {
        await validate(member.connection)
        return member
      } catch (error) {
        discard(member)
        // The others that have been silent as long will hardly answer: each would cost its caller the same wait.
        if (error instanceof QueryFailed && error.cause instanceof NoAnswer) dropIdle()
      }
    }
  }

  /** What a failure says of the connection that it happened on. */
  const judge = (trouble: Trouble, member: Member): void => {
    if (trouble.kind === 'stale') member.connection.close()
    // Another server has become the master, or none has yet: the others lead to this one too.
    if (trouble.kind !== 'read-only' || member.generation !== generation) return
    generation += 1
    dropIdle()
  }

  const tick = setInterval(() => {
    const old = performance.now() - limits.idleMs
    while (idle.length > limits.minIdle && (idle[0]?.usedMs ?? old) < old) {
      const [oldest] = idle.splice(0, 1)
      if (oldest !== undefined) discard(oldest)
    }
    serve()
  }, tickMs)

  // Nobody needs to ask first: the least number of connections is there when the first request comes.
  serve()
  if (opening === 0) void connect()

  return {
    async run(work, { urgent = false } = {}) {
      const member = await checkedOut(urgent)
      try {
        const result = await work(member.connection)
        heard()
        return result
      } catch (error) {
        if (error instanceof QueryFailed) judge(error.trouble, member)
        throw error
      } finally {
        release(member)
      }
    },
    stats: () => ({ open: members, idle: idle.length, waiting: waiters.length }),
    async close() {
      closing = true
      clearInterval(tick)
      clearTimeout(retry)
      for (const waiter of waiters.splice(0)) waiter.fail(stopping())
      dropIdle()
      if (members === 0) return
      await new Promise<void>((resolve) => {
        const limit = setTimeout(resolve, closeLimitMs)
        emptied = () => {
          clearTimeout(limit)
          resolve()
        }
      })
    },
  }
}
