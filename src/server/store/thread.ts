// The thread that keeps the store: it answers what the others ask over their ports.
import type { MessagePort } from 'node:worker_threads'
import { messageOf } from '../../model/errors.ts'
import { steadyNow } from './clock.ts'
import type { CountedStore } from './counted.ts'
import type { Answer, FromStore, Request, ToStore } from './messages.ts'
import { createPlainThreadMetrics } from '../metrics/thread.ts'
import type { MetricValues, StoreData, ToStoreThread } from '../threads/messages.ts'
import { threadLog } from '../threads/thread-log.ts'
import { openStore } from './open.ts'
import { StoreUnavailable } from './port.ts'

/** Keeps the store of a configuration until the main thread ends it. */
export async function keepStoreInThread(data: StoreData, main: MessagePort): Promise<void> {
  const logs = threadLog(data, (message) => main.postMessage(message))
  const store = await openStore(data, logs.logger)
  const { registry } = createPlainThreadMetrics('store')
  const desk = createDesk(store, () => registry.getMetricsAsJSON())
  await new Promise<void>((resolve, reject) => {
    main.on('message', (message: ToStoreThread) => {
      if (message.kind === 'client') return desk.serve(message.port)
      desk.close()
      store
        .close()
        .finally(() => {
          logs.flush()
          main.close()
        })
        .then(resolve, reject)
    })
  })
}

/** Where what comes over ports is answered. */
export interface Desk {
  readonly serve: (port: MessagePort) => void
  readonly close: () => void
}

// What is read in one turn of the loop is in memory all at once, and a record may have 10 MB.
const readsAtOnce = 4
const isRead = ({ ask }: Request): boolean => ask === 'get' || ask === 'list'

export function createDesk(
  store: CountedStore,
  figures: () => Promise<MetricValues> = () => Promise.resolve([]),
): Desk {
  const ports = new Set<MessagePort>()
  const answers = new Map<MessagePort, Answer[]>()
  let scheduled = false
  // All that is known in this turn of the loop goes in one message.
  const send = () => {
    scheduled = false
    for (const [port, all] of answers) port.postMessage(all satisfies FromStore)
    answers.clear()
  }
  const sendSoon = () => {
    if (!scheduled) setImmediate(send)
    scheduled = true
  }
  const reads: (() => void)[] = []
  let mayRead = readsAtOnce
  // A turn of the loop takes in all messages that wait, each with requests of its own.
  const readSome = () => {
    if (mayRead === readsAtOnce && reads.length > 0) {
      setImmediate(() => {
        mayRead = readsAtOnce
        readSome()
      })
    }
    for (; mayRead > 0 && reads.length > 0; mayRead -= 1) reads.shift()?.()
  }
  return {
    serve(port) {
      ports.add(port)
      port.once('close', () => ports.delete(port))
      const tell = (answer: Answer) => {
        const all = answers.get(port)
        if (all === undefined) answers.set(port, [answer])
        else all.push(answer)
        sendSoon()
      }
      const ask = (request: Request) => {
        const { id } = request
        answerOf(request, { store, figures }).then(
          (result) => tell({ id, end: 'ok', result }),
          (error: unknown) => tell({ id, ...failureOf(error) }),
        )
      }
      port.on('message', (requests: ToStore) => {
        // Before the store plans its next transaction: what was only read does not wait for the disk.
        sendSoon()
        for (const request of requests) {
          if (isRead(request)) reads.push(() => ask(request))
          else ask(request)
        }
        readSome()
      })
    },
    close() {
      for (const port of ports) port.close()
    },
  }
}

interface Asked {
  readonly store: CountedStore
  /** Of the thread itself. */
  readonly figures: () => Promise<MetricValues>
}

function answerOf(request: Request, { store, figures }: Asked): Promise<unknown> {
  // Under a load that the database cannot carry, work for nobody would keep the next ones waiting too.
  if (steadyNow() > request.until) return Promise.reject(new StoreUnavailable('the database did not answer in time'))
  switch (request.ask) {
    case 'get':
      return store.get(request.of)
    case 'list':
      return store.list(request.of)
    case 'write':
      return store.write(request.of)
    case 'verify':
      return store.verify()
    case 'stats':
      return Promise.resolve(store.stats())
    case 'figures':
      return figures()
    case 'place':
      return Promise.resolve(store.place?.())
  }
}

type Failure = { readonly [Key in 'unavailable' | 'failed']: Omit<Extract<Answer, { end: Key }>, 'id'> }

function failureOf(error: unknown): Failure[keyof Failure] {
  if (error instanceof StoreUnavailable) {
    const cause = error.cause === undefined ? undefined : messageOf(error.cause)
    return { end: 'unavailable', reason: error.reason, cause }
  }
  return { end: 'failed', message: messageOf(error), stack: error instanceof Error ? error.stack : undefined }
}
