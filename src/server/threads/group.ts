// The serving threads, as the main thread sees them: started together, told together, and ended together when one of them dies.
import type { Worker } from 'node:worker_threads'
import { NetopsError } from '../../model/errors.ts'
import type { DrainLimits } from '../connections.ts'
import type { HealthStatus } from '../health.ts'
import type { LogHub } from '../logs/hub.ts'
import type { ThreadFigures } from '../metrics/collector.ts'
import type { InEffect } from '../reload.ts'
import type { FromThread, Listening, MetricValues, ServingData, ToThread } from './messages.ts'

export interface GroupOptions {
  /** Starts a thread with its data. */
  readonly start: (data: ServingData) => Worker
  /** One entry a thread. */
  readonly threads: readonly ServingData[]
  /** Takes their lines. */
  readonly logs: Pick<LogHub, 'take'>
  readonly health: { readonly read: () => Promise<HealthStatus>; readonly ageMs: () => number }
}

export interface Group {
  /**
   * Resolves with where they listen, when all do.
   * @throws NetopsError `failed` where one cannot
   */
  readonly listening: Promise<readonly Listening[]>
  /** Resolves with why, as soon as one of them has ended by itself. */
  readonly died: Promise<Error>
  /** How many of them have not ended. */
  readonly running: () => number
  /** What each counts now; one that is too busy to say has what it said last, and counts as silent. */
  readonly metrics: () => Promise<ThreadFigures>
  /**
   * Has them accept nothing more and end what they are at.
   * @returns how many requests had to be cut off
   */
  drain(limits: DrainLimits): Promise<number>
  /** Has them take over what of the configuration can take effect while they serve. */
  reload(now: InEffect): void
  end(): Promise<void>
}

// A scraper gives up after 10 s by default; a thread that does not answer within a second is stuck in something.
const metricsTimeLimitMs = 1000
// Beyond the time that a thread gives its own requests.
const drainSlackMs = 2000

interface Member {
  readonly worker: Worker
  readonly listening: Promise<readonly Listening[]>
  readonly drained: Promise<number>
  values: MetricValues
  readonly onValues: Map<number, (values: MetricValues) => void>
}

export function startGroup({ start, threads, logs, health }: GroupOptions): Group {
  let ending = false
  let exited = 0
  let died: (why: Error) => void
  const death = new Promise<Error>((settle) => (died = settle))
  const members = threads.map((data): Member => {
    const worker = start(data)
    const say = (message: ToThread) => worker.postMessage(message)
    const onValues = new Map<number, (values: MetricValues) => void>()
    const listening = Promise.withResolvers<readonly Listening[]>()
    const drained = Promise.withResolvers<number>()
    const member: Member = { worker, listening: listening.promise, drained: drained.promise, values: [], onValues }
    // Whoever waits for it is told; nobody may be waiting.
    listening.promise.catch(() => undefined)
    worker.on('message', (message: FromThread) => {
      switch (message.kind) {
        case 'listening':
          listening.resolve(message.addresses)
          break
        case 'failed':
          listening.reject(new NetopsError('failed', { message: message.message }))
          break
        case 'log':
          logs.take(message.batch)
          break
        case 'drained':
          drained.resolve(message.cut)
          break
        case 'metrics':
          member.values = message.values
          onValues.get(message.id)?.(message.values)
          break
        case 'ask-health':
          void health.read().then((status) => say({ kind: 'health', id: message.id, status, ageMs: health.ageMs() }))
          break
        case 'make-room':
          members[message.of]?.worker.postMessage({ kind: 'give-way' } satisfies ToThread)
          break
      }
    })
    const ended = (why: Error) => {
      if (ending) return
      died(why)
      drained.resolve(0)
      listening.reject(new NetopsError('failed', { message: why.message }))
    }
    worker.once('error', (error: Error) =>
      ended(new Error(`serving thread ${data.index} failed: ${error.message}`, { cause: error })),
    )
    worker.once('exit', (code) => {
      exited += 1
      ended(new Error(`serving thread ${data.index} ended with code ${code}`))
    })
    return member
  })

  const valuesOf = (member: Member, id: number): Promise<MetricValues | undefined> => {
    const answer = new Promise<MetricValues>((resolve) => member.onValues.set(id, resolve))
    member.worker.postMessage({ kind: 'metrics', id } satisfies ToThread)
    return withinTime(answer, metricsTimeLimitMs, () => undefined).finally(() => member.onValues.delete(id))
  }
  let scrapes = 0

  return {
    listening: Promise.all(members.map((member) => member.listening)).then((all) => all.flat()),
    died: death,
    running: () => threads.length - exited,
    async metrics() {
      scrapes += 1
      const answers = await Promise.all(members.map((member) => valuesOf(member, scrapes)))
      const silent = answers.filter((values) => values === undefined).length
      return { values: members.map(({ values }) => values), silent }
    },
    async drain({ lingerMs, drainMs }) {
      for (const { worker } of members) worker.postMessage({ kind: 'drain', lingerMs, drainMs } satisfies ToThread)
      const cut = await Promise.all(members.map(({ drained }) => withinTime(drained, drainMs + drainSlackMs, () => 0)))
      return cut.reduce((sum, one) => sum + one, 0)
    },
    reload(now) {
      for (const { worker } of members) worker.postMessage({ kind: 'reload', now } satisfies ToThread)
    },
    async end() {
      ending = true
      await Promise.all(members.map(({ worker }) => worker.terminate()))
    },
  }
}

async function withinTime<T, Late = T>(wanted: Promise<T>, ms: number, late: () => Late): Promise<T | Late> {
  let limit: NodeJS.Timeout | undefined
  const end = new Promise<Late>((resolve) => {
    limit = setTimeout(() => resolve(late()), ms)
  })
  try {
    return await Promise.race([wanted, end])
  } finally {
    clearTimeout(limit)
  }
}
