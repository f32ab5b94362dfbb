// The thread that keeps the store: it answers what the others ask over their ports.
import type { MessagePort } from 'node:worker_threads'
import { messageOf } from '../../model/errors.ts'
import type { CountedStore } from './counted.ts'
import type { Answer, FromStore, Request, ToStore } from './messages.ts'
import { openStore, type StorePlace } from './open.ts'
import { StoreUnavailable } from './port.ts'

export interface StoreThreadData extends StorePlace {
  /** One for each thread that asks. */
  readonly clients: readonly MessagePort[]
}

/** Keeps the store of a configuration until all who ask have closed their ports. */
export async function keepStoreInThread(data: StoreThreadData): Promise<void> {
  const store = openStore(data)
  await serveStore(store, data.clients)
  await store.close()
}

/**
 * Answers what comes over ports.
 * @returns when all of them are closed
 */
export async function serveStore(store: CountedStore, ports: readonly MessagePort[]): Promise<void> {
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
  const serve = (port: MessagePort): Promise<void> => {
    const tell = (answer: Answer) => {
      const all = answers.get(port)
      if (all === undefined) answers.set(port, [answer])
      else all.push(answer)
      sendSoon()
    }
    port.on('message', (requests: ToStore) => {
      // Before the store plans its next transaction: what was only read does not wait for the disk.
      sendSoon()
      for (const request of requests) {
        const { id } = request
        answerOf(store, request).then(
          (result) => tell({ id, end: 'ok', result }),
          (error: unknown) => tell({ id, ...failureOf(error) }),
        )
      }
    })
    return new Promise((resolve) => port.once('close', resolve))
  }
  await Promise.all(ports.map(serve))
}

function answerOf(store: CountedStore, request: Request): Promise<unknown> {
  // Under a load that the database cannot carry, work for nobody would keep the next ones waiting too.
  if (Date.now() > request.until) return Promise.reject(new StoreUnavailable('the database did not answer in time'))
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
