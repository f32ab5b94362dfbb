// Starts a thread of this program: from the script that an executable carries for its threads, or from the sources.
import { getAsset, isSea } from 'node:sea'
import { Worker, type WorkerOptions } from 'node:worker_threads'

/** The name under which an executable carries the threads' script (build/executable.ts). */
const asset = 'threads'

/**
 * Starts a thread.
 * @param entry the source of the threads' script, in a checkout
 * @returns the thread; it tells by `exit` that it has ended, and by `error` first where it failed
 */
export const startScript = (entry: URL, options: WorkerOptions): Worker =>
  isSea() ? new Worker(getAsset(asset, 'utf8'), { ...options, eval: true }) : new Worker(entry, options)
