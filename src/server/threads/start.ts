// Starts a thread of the server: from the script that an executable carries for its threads, or from the sources.
import { getAsset, isSea } from 'node:sea'
import { Worker, type Transferable } from 'node:worker_threads'
import { once } from '../../model/schema-notes.ts'
import { readMemory } from '../checks.ts'
import { heapLimitsFor } from './heap.ts'
import type { ThreadData } from './messages.ts'

/** The name under which an executable carries the threads' script (build/executable.ts). */
const asset = 'threads'

const heapLimits = once(() => heapLimitsFor(readMemory().residentLimit))

/**
 * Starts a thread.
 * @param data what it is and works with
 * @param transfer ports in the data, which are the thread's from then on
 * @returns the thread; it tells by `exit` that it has ended, and by `error` first where it failed
 */
export function startThread(data: ThreadData, transfer: readonly Transferable[] = []): Worker {
  const options = {
    ...{ workerData: data, transferList: [...transfer], name: nameOf(data) },
    resourceLimits: heapLimits(),
  }
  if (isSea()) return new Worker(getAsset(asset, 'utf8'), { ...options, eval: true })
  return new Worker(new URL('./entry.ts', import.meta.url), options)
}

const nameOf = (data: ThreadData): string => (data.kind === 'store' ? data.kind : `${data.kind}-${data.index}`)
