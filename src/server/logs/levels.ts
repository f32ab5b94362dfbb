// How much is logged, as numbers that threads share.
import type { LogLevel } from '../../model/logging-config.ts'

/** From 0 for TRACE to 5 for FATAL. */
export const rankOf: Readonly<Record<LogLevel, number>> = { TRACE: 0, DEBUG: 1, INFO: 2, WARN: 3, ERROR: 4, FATAL: 5 }

// RFC 5424, 6.2.1: 2 critical, 3 error, 4 warning, 6 informational, 7 debug.
export const severityOf: Readonly<Record<LogLevel, number>> = {
  TRACE: 7,
  DEBUG: 7,
  INFO: 6,
  WARN: 4,
  ERROR: 3,
  FATAL: 2,
}

/** What every thread reads before it makes a line: the lowest rank that anybody takes, and whether requests are logged. */
export interface Wanted {
  readonly lowest: () => number
  readonly access: () => boolean
  set(lowest: number, access: boolean): void
}

const [lowestAt, accessAt] = [0, 1]

export const wantedBuffer = (): SharedArrayBuffer => new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT)

export function wantedIn(buffer: SharedArrayBuffer): Wanted {
  const cells = new Int32Array(buffer)
  return {
    lowest: () => Atomics.load(cells, lowestAt),
    access: () => Atomics.load(cells, accessAt) === 1,
    set(lowest, access) {
      Atomics.store(cells, lowestAt, lowest)
      Atomics.store(cells, accessAt, access ? 1 : 0)
    },
  }
}
