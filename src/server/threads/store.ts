// The thread that keeps the store, as the main thread sees it.
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import type { LogHub } from '../logs/hub.ts'
import { createStoreClient, type StoreClient } from '../store/client.ts'
import type { FromStoreThread, StoreData, ToStoreThread } from './messages.ts'
import { startThread } from './start.ts'

export interface StoreThreadOptions extends Pick<StoreData, 'config' | 'dataDir' | 'commits' | 'root' | 'release'> {
  readonly logs: Pick<LogHub, 'wanted' | 'take'>
}

export interface StoreThread {
  /** For the main thread itself. */
  readonly client: StoreClient
  /** A port for one more thread that asks (store/client.ts). */
  connect(): MessagePort
  /** Resolves with why, when the thread has ended by itself. */
  readonly died: Promise<Error>
  /** Ends it: what waits is written first. */
  end(): Promise<void>
}

// A transaction that is at work, and the log that is written into the file at the end.
const endTimeLimitMs = 5000

/** Starts the thread that keeps the store. */
export function startStoreThread({ logs, ...place }: StoreThreadOptions): StoreThread {
  const worker = startThread({ kind: 'store', wantedLogs: logs.wanted, ...place })
  const { promise: died, resolve } = Promise.withResolvers<Error>()
  const exited = new Promise<void>((settle) => worker.once('exit', () => settle()))
  let ending = false
  worker.on('message', ({ batch }: FromStoreThread) => logs.take(batch))
  worker.once('error', (error: Error) => {
    resolve(new Error(`the store's thread failed: ${error.message}`, { cause: error }))
  })
  worker.once('exit', (code) => {
    if (!ending) resolve(new Error(`the store's thread ended with code ${code}`))
  })
  const connect = (): MessagePort => {
    const { port1, port2 } = new MessageChannel()
    worker.postMessage({ kind: 'client', port: port1 } satisfies ToStoreThread, [port1])
    return port2
  }
  const client = createStoreClient(connect())
  return {
    client,
    connect,
    died,
    async end() {
      ending = true
      await client.close()
      worker.postMessage({ kind: 'end' } satisfies ToStoreThread)
      const limit = setTimeout(() => void worker.terminate(), endTimeLimitMs)
      await exited
      clearTimeout(limit)
    },
  }
}
