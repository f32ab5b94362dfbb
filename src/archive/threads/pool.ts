// A few threads that work on pieces of an archive beside the one that reads and writes.
import { availableParallelism } from 'node:os'
import type { Worker } from 'node:worker_threads'
import { NetopsError, messageOf } from '../../model/errors.ts'
import { boundYoungGeneration } from '../../system/heap.ts'
import { startScript } from '../../system/thread.ts'
import type { ResultOf, Task } from './tasks.ts'

export interface Envelope {
  readonly id: number
  readonly task: Task
}

interface Answer {
  readonly id: number
  readonly result: unknown
}

// Each takes up to 30 MB with what it works on; more than these do not come to more on the hosts that this is for.
const mostThreads = 4

interface Thread {
  readonly worker: Worker
  readonly waiting: Map<number, { readonly resolve: (result: never) => void; readonly reject: (error: Error) => void }>
}

/** Threads that are started when there is the first task for them. */
export class ThreadPool {
  readonly #threads: Thread[] = []
  #next = 0
  #failure: Error | undefined

  /** How many tasks can be under way so that no thread waits for work. */
  readonly room: number
  readonly #most: number

  constructor(threads = Math.min(mostThreads, availableParallelism())) {
    this.#most = threads
    this.room = threads + 1
  }

  /**
   * Has a task done. Its bytes lie in shared memory (memory.ts), and are the thread's until it is done.
   * @throws NetopsError `failed` where a thread failed
   */
  async run<T extends Task>(task: T): Promise<ResultOf<T>> {
    if (this.#failure !== undefined) throw this.#failure
    boundYoungGeneration()
    const thread = this.#leastBusy()
    const id = (this.#next += 1)
    return new Promise<ResultOf<T>>((resolve, reject) => {
      thread.waiting.set(id, { resolve, reject })
      thread.worker.postMessage({ id, task } satisfies Envelope)
    })
  }

  #leastBusy(): Thread {
    const least = this.#threads.toSorted((a, b) => a.waiting.size - b.waiting.size)[0]
    if (least !== undefined && (least.waiting.size === 0 || this.#threads.length >= this.#most)) return least
    const thread: Thread = {
      worker: startScript(new URL('./entry.ts', import.meta.url), {
        name: `archive-${this.#threads.length}`,
        resourceLimits: { maxYoungGenerationSizeMb: 4 },
      }),
      waiting: new Map(),
    }
    thread.worker.on('message', ({ id, result }: Answer) => {
      const waiting = thread.waiting.get(id)
      thread.waiting.delete(id)
      waiting?.resolve(result as never)
    })
    thread.worker.on('error', (error) => this.#fail(error))
    thread.worker.on('exit', (code) => this.#fail(new Error(`a thread ended with exit code ${code}`)))
    this.#threads.push(thread)
    return thread
  }

  #fail(error: unknown): void {
    this.#failure ??= new NetopsError('failed', { message: `cannot go on: ${messageOf(error)}`, cause: error })
    for (const { waiting } of this.#threads) {
      for (const { reject } of waiting.values()) reject(this.#failure)
      waiting.clear()
    }
  }

  /** Ends all threads, whatever they are at. */
  async end(): Promise<void> {
    this.#failure ??= new NetopsError('failed', { message: 'the threads were ended' })
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()))
  }
}

/** Works with the threads that are given, or with some of its own for as long as it takes. */
export async function withPool<T>(given: ThreadPool | undefined, work: (pool: ThreadPool) => Promise<T>): Promise<T> {
  const pool = given ?? new ThreadPool()
  try {
    return await work(pool)
  } finally {
    if (given === undefined) await pool.end()
  }
}
