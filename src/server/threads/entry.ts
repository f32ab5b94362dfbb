// Entry of every thread of the server but the first one.
import { parentPort, workerData } from 'node:worker_threads'
import type { ThreadData } from './messages.ts'

async function main(data: ThreadData): Promise<void> {
  if (parentPort === null) throw new Error('this is for threads of network_server only')
  switch (data.kind) {
    case 'serving': {
      const { serveInThread } = await import('./serving.ts')
      return serveInThread(data, parentPort)
    }
    case 'store': {
      const { keepStoreInThread } = await import('../store/thread.ts')
      return keepStoreInThread(data, parentPort)
    }
  }
}

// What fails here ends the thread, and with it the process (threads/group.ts).
main(workerData as ThreadData).catch((error: unknown) => {
  setImmediate(() => {
    throw error
  })
})
