// What each thread counts of its own work, in a registry of its own; the main thread puts those of all threads together.
import { getHeapStatistics } from 'node:v8'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { countOutcomes, type Answered, type Outcomes } from './outcomes.ts'
import { PlainHistogram } from './plain-histogram.ts'

/** Of a request as it came. */
interface Asked {
  readonly method?: string | undefined
  readonly url?: string | undefined
}

export interface ThreadMetrics {
  readonly registry: Registry
  /**
   * A request has ended.
   * @param seconds from its head to the end of its answer
   */
  requestEnded(seconds: number, request: Asked, answered: Answered): void
  readonly outcomes: Outcomes
  readonly connectionRefused: () => void
  readonly connectionGivenUp: () => void
  /** Ends what measures the event loop. */
  close(): void
}

// From a health probe (well below a millisecond) to the guide's request timeout of 30 s.
const responseTimeBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

/**
 * The metrics of a thread that serves.
 * @param thread its name among the others: `0`, `1`, ...
 */
export function createThreadMetrics(thread: string): ThreadMetrics {
  const { registry, close } = createPlainThreadMetrics(thread)
  const registers = [registry]
  const responseTime = new PlainHistogram({
    name: 'network_response_time_seconds',
    help: 'Response time histogram',
    buckets: responseTimeBuckets,
  })
  registry.registerMetric(responseTime)
  new Counter({
    name: 'network_requests_total',
    help: 'Total request count',
    registers,
    collect() {
      this.reset()
      this.inc(responseTime.count())
    },
  })
  const refused = new Counter({
    name: 'network_connections_refused_total',
    help: 'Connections and requests turned away because server.max_connections were open and at work',
    registers,
  })
  const givenUp = new Counter({
    name: 'network_connections_given_up_total',
    help: 'Connections without a request that were closed to make room for others',
    registers,
  })
  const outcomes = countOutcomes(registry)
  return {
    registry,
    outcomes,
    requestEnded(seconds, { method, url }, answered) {
      responseTime.add(seconds)
      outcomes.ended(method, url, answered)
    },
    connectionRefused() {
      refused.inc()
      outcomes.refused()
    },
    connectionGivenUp: () => givenUp.inc(),
    close,
  }
}

/** The metrics of a thread that has nothing of its own to count. */
export function createPlainThreadMetrics(thread: string): Pick<ThreadMetrics, 'registry' | 'close'> {
  const registry = new Registry()
  new Gauge({
    name: 'network_memory_bytes',
    help: memoryHelp,
    labelNames: ['kind'],
    registers: [registry],
    collect() {
      this.set({ kind: 'heap' }, getHeapStatistics().used_heap_size)
    },
  })
  return { registry, close: watchEventLoop(registry, thread).close }
}

/** Of the one figure that threads and the process add up to together. */
export const memoryHelp =
  "Memory of the process: rss all that it holds, heap V8's of all threads, stack that of the main thread"

// Four times a second: a thread that stands still for longer is seen by the first tick after it, and it costs nothing.
const lagTickMs = 250
// A busy thread is late by milliseconds; clients begin to notice at 100 ms.
const lagBuckets = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5]

/** Measures how busy and how late a thread is, and its heap, under its name. */
export function watchEventLoop(registry: Registry, thread: string): { readonly close: () => void } {
  const registers = [registry]
  const labelNames = ['thread'] as const
  const lag = new Histogram({
    name: 'network_event_loop_lag_seconds',
    help: `How much later than asked a timer of the thread was called, every ${lagTickMs} ms`,
    labelNames,
    buckets: lagBuckets,
    registers,
  })
  new Counter({
    name: 'network_event_loop_seconds_total',
    help: 'How long the thread was at work (active) and waited for work (idle)',
    labelNames: ['thread', 'state'],
    registers,
    collect() {
      const { active, idle } = performance.eventLoopUtilization()
      this.reset()
      this.inc({ thread, state: 'active' }, active / 1000)
      this.inc({ thread, state: 'idle' }, idle / 1000)
    },
  })
  new Gauge({
    name: 'network_heap_bytes',
    help: "V8's heap of the thread: what is used of it, and its limit",
    labelNames: ['thread', 'kind'],
    registers,
    collect() {
      const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics()
      this.set({ thread, kind: 'used' }, used)
      this.set({ thread, kind: 'limit' }, limit)
    },
  })
  const labels = { thread }
  let due = performance.now() + lagTickMs
  const timer = setInterval(() => {
    const now = performance.now()
    lag.observe(labels, Math.max(0, now - due) / 1000)
    due = now + lagTickMs
  }, lagTickMs)
  timer.unref()
  return { close: () => clearInterval(timer) }
}
