// Health as a serving thread sees it: the main thread looks, and what it saw is good here for as long as there.
import { freshMs, type Health, type HealthStatus } from '../health.ts'

export interface AskedHealth extends Health {
  /** The main thread's answer. @param ageMs how long ago it looked */
  readonly onAnswer: (id: number, status: HealthStatus, ageMs: number) => void
}

/** @param ask asks the main thread; its answer comes with the same number */
export function askedHealth(ask: (id: number) => void, now: () => number): AskedHealth {
  const waiting = new Map<number, (status: HealthStatus) => void>()
  let last: { readonly until: number; readonly status: Promise<HealthStatus> } | undefined
  let asked = 0
  return {
    read() {
      if (last !== undefined && now() < last.until) return last.status
      asked += 1
      const id = asked
      const status = new Promise<HealthStatus>((resolve) => waiting.set(id, resolve))
      // Whoever comes before the answer waits for the same one.
      last = { until: Infinity, status }
      ask(id)
      return status
    },
    onAnswer(id, status, ageMs) {
      waiting.get(id)?.(status)
      waiting.delete(id)
      last = { until: now() + freshMs - ageMs, status: Promise.resolve(status) }
    },
  }
}
