// Entry of each thread of netops: does the tasks that it is given, in order.
import { parentPort } from 'node:worker_threads'
import type { Envelope } from './pool.ts'
import { perform } from './tasks.ts'

parentPort?.on('message', ({ id, task }: Envelope) => {
  parentPort?.postMessage({ id, result: perform(task) })
})
