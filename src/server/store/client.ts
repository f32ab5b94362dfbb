// The store as a thread that serves sees it: what it asks goes to the store's thread over a port, and comes back.
import type { MessagePort } from 'node:worker_threads'
import type { MetricValues } from '../threads/messages.ts'
import { steadyNow } from './clock.ts'
import type { StoreStats } from './counted.ts'
import type { Answer, FromStore, Question, Request, ToStore } from './messages.ts'
import { StoreUnavailable, type RecordPage, type Store, type StoredRecord, type WriteOutcome } from './port.ts'

export interface StoreClient extends Store {
  /** What the store counts (store/counted.ts). */
  readonly stats: () => Promise<StoreStats>
  /** What the store's thread counts of itself. */
  readonly figures: () => Promise<MetricValues>
  /** Which file the store has open (store/counted.ts). */
  readonly place: () => Promise<string | undefined>
  /** Requests of this client that have no answer yet. */
  readonly waiting: () => number
}

export interface ClientLimits {
  /** Most requests that wait for an answer. */
  readonly mostWaiting: number
  /** Nobody waits longer than this, in ms. */
  readonly timeLimitMs: number
}

const usualLimits: ClientLimits = {
  // A thread's share of connections at work is less by far; beyond it answers would only come later and later.
  mostWaiting: 2000,
  // guide: Database Scaling, setConnectionTimeout: as long as PostgreSQL may take for a connection.
  timeLimitMs: 30_000,
}

/** How late a time limit may be noticed, in ms: one timer serves all requests. */
const lookEveryMs = 1000

interface Waiting {
  readonly until: number
  readonly resolve: (result: unknown) => void
  readonly reject: (error: Error) => void
}

/**
 * A store behind a port.
 * @param port the other end of one that `serveStore` has
 */
export function createStoreClient(port: MessagePort, limits: Partial<ClientLimits> = {}): StoreClient {
  const { mostWaiting, timeLimitMs } = { ...usualLimits, ...limits }
  const waiting = new Map<number, Waiting>()
  let outgoing: Request[] = []
  let lastId = 0
  let closed: string | undefined

  const rejectAll = (reason: string) => {
    for (const { reject } of waiting.values()) reject(new StoreUnavailable(reason))
    waiting.clear()
  }
  const look = setInterval(() => {
    const now = steadyNow()
    for (const [id, { until, reject }] of waiting) {
      // Later ones have no earlier limit.
      if (until > now) break
      waiting.delete(id)
      reject(new StoreUnavailable('the database did not answer in time'))
    }
  }, lookEveryMs).unref()

  const ask = (question: Question): Promise<unknown> => {
    if (closed !== undefined) return Promise.reject(new StoreUnavailable(closed))
    if (waiting.size >= mostWaiting) {
      return Promise.reject(new StoreUnavailable('too many requests wait for the database'))
    }
    const id = (lastId += 1)
    const until = steadyNow() + timeLimitMs
    // All that this turn of the loop asks goes in one message.
    if (outgoing.length === 0) setImmediate(send)
    outgoing.push({ ...question, id, until })
    return new Promise((resolve, reject) => waiting.set(id, { until, resolve, reject }))
  }
  const send = () => {
    const message: ToStore = outgoing
    outgoing = []
    if (closed === undefined) port.postMessage(message)
  }
  const end = (reason: string) => {
    closed ??= reason
    clearInterval(look)
    rejectAll(reason)
  }

  port.on('message', (answers: FromStore) => {
    for (const answer of answers) {
      const asked = waiting.get(answer.id)
      waiting.delete(answer.id)
      if (asked !== undefined) settle(asked, answer)
    }
  })
  port.on('close', () => end('the database is closed'))

  return {
    get: (of) => ask({ ask: 'get', of }) as Promise<StoredRecord | undefined>,
    list: (of) => ask({ ask: 'list', of }) as Promise<RecordPage>,
    write: (of) => ask({ ask: 'write', of }) as Promise<WriteOutcome>,
    verify: () => ask({ ask: 'verify' }) as Promise<void>,
    stats: () => ask({ ask: 'stats' }) as Promise<StoreStats>,
    figures: () => ask({ ask: 'figures' }) as Promise<MetricValues>,
    place: () => ask({ ask: 'place' }) as Promise<string | undefined>,
    waiting: () => waiting.size,
    close() {
      end('the database is closed')
      port.close()
      return Promise.resolve()
    },
  }
}

function settle({ resolve, reject }: Waiting, answer: Answer): void {
  switch (answer.end) {
    case 'ok':
      return resolve(answer.result)
    case 'unavailable':
      return reject(new StoreUnavailable(answer.reason, { cause: answer.cause }))
    case 'failed':
      return reject(Object.assign(new Error(answer.message), { stack: answer.stack ?? answer.message }))
  }
}
