// What lines are written to: a file, the console, a syslog server. Each holds what waits for it, within a bound.
import type { LogLevel } from '../../model/logging-config.ts'

export interface OutputStats {
  /** `/var/log/network/server.log`, `standard output`, `udp://127.0.0.1:514`. */
  readonly name: string
  /** Lines that found no room, or that nobody took until the end. */
  readonly lost: number
  readonly waitingBytes: number
  readonly failing: boolean
}

export interface Output {
  readonly name: string
  /** @param text whole lines, in UTF-8 where they are bytes; never blocks and never throws */
  append(text: string | Buffer, lines: number, level: LogLevel): void
  /** Begins to write to what now has its name, between two lines. */
  reopen(): void
  /** Deletes rotated files that are no longer kept, and rotates a file that has become too old. */
  tidy(): void
  /** Writes what waits before it returns, where that is possible; for a process that ends now. */
  flushNow(): void
  /** Writes what waits, for at most a second. */
  close(): Promise<void>
  stats(): OutputStats
}

/** Whom an output tells what becomes of it. */
export interface Report {
  /** Once, until it is well again. */
  failed(name: string, reason: string): void
  lost(name: string, lines: number): void
}

// Lines wait in memory while a disk or a pipe is slow; beyond this they are lost rather than let memory grow.
export const mostWaitingBytes = 4 * 2 ** 20
const closeLimitMs = 1000

/** Resolves when `done` calls it, or after a second. */
export const withinCloseLimit = (wait: (done: () => void) => void): Promise<void> =>
  new Promise((resolve) => {
    const limit = setTimeout(resolve, closeLimitMs)
    wait(() => {
      clearTimeout(limit)
      resolve()
    })
  })
