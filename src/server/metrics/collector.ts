// One answer to a scrape from all threads: the figures of the same name and labels are added up.
import { AggregatorRegistry, Gauge, type Registry } from 'prom-client'
import type { MetricValues } from '../threads/messages.ts'
import { lastKnown } from './last-known.ts'

/** What the other threads count. */
export interface ThreadFigures {
  /** Of each; one that did not answer in time has what it said last, so that no counter goes back. */
  readonly values: readonly MetricValues[]
  /** How many did not answer in time. */
  readonly silent: number
}

/** The figures of the serving threads with those of the store's. */
export function figuresOf(
  serving: () => Promise<ThreadFigures>,
  askStore: () => Promise<MetricValues>,
): () => Promise<ThreadFigures> {
  const store = lastKnown(askStore, [])
  return async () => {
    const [{ values, silent }, own] = await Promise.all([serving(), store.read()])
    return { values: [...values, own], silent: silent + (store.silent() ? 1 : 0) }
  }
}

/** Figures of the whole process, as Prometheus reads them. */
export interface Collector {
  readonly contentType: string
  readonly text: () => Promise<string>
}

/**
 * @param own the main thread's
 * @param ofThreads asks the others
 */
export function createCollector(own: Registry, ofThreads: () => Promise<ThreadFigures>): Collector {
  let silent = 0
  new Gauge({
    name: 'network_threads_silent',
    help: 'Threads that did not tell their figures in time; those they told last stand in',
    registers: [own],
    collect() {
      this.set(silent)
    },
  })
  let running: Promise<string> | undefined

  const run = async (): Promise<string> => {
    const threads = await ofThreads()
    silent = threads.silent
    const all: readonly (readonly object[])[] = [await own.getMetricsAsJSON(), ...threads.values]
    return AggregatorRegistry.aggregate(all as object[]).metrics()
  }
  return {
    contentType: own.contentType,
    // Several scrapers at once get the same answer.
    text() {
      running ??= run().finally(() => (running = undefined))
      return running
    },
  }
}
