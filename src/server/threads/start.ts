// Starts a thread of the server.
import type { Transferable, Worker } from 'node:worker_threads'
import { once } from '../../model/schema-notes.ts'
import { startScript } from '../../system/thread.ts'
import { readMemory } from '../checks.ts'
import { heapLimitsFor } from './heap.ts'
import type { ThreadData } from './messages.ts'

const heapLimits = once(() => heapLimitsFor(readMemory().residentLimit))

/**
 * Starts a thread.
 * @param data what it is and works with
 * @param transfer ports in the data, which are the thread's from then on
 * @returns the thread; it tells by `exit` that it has ended, and by `error` first where it failed
 */
export const startThread = (data: ThreadData, transfer: readonly Transferable[] = []): Worker =>
  startScript(new URL('./entry.ts', import.meta.url), {
    ...{ workerData: data, transferList: [...transfer], name: nameOf(data) },
    resourceLimits: heapLimits(),
  })

const nameOf = (data: ThreadData): string => (data.kind === 'store' ? data.kind : `${data.kind}-${data.index}`)
