// Follows the log of one host for as long as it takes: a lost connection is made again, and no line comes twice.
import { setTimeout as sleep } from 'node:timers/promises'
import type { HostConnection } from '../drivers/hosts/port.ts'
import { locate, NetopsError } from '../model/errors.ts'
import { formatDuration } from '../model/units.ts'
import type { Target } from '../model/target.ts'
import { SeenLines } from '../procedures/logs/lines.ts'
import type { FleetContext } from './context.ts'
import { onHost } from './pool.ts'
import type { Excerpt } from '../procedures/logs/source.ts'

// The first attempt comes soon, and a fleet that is away for the night is not asked all the time.
const backoff = { firstMs: 1000, mostMs: 30_000 }
/** How far back a log is read again after a connection was lost. */
const linesAgain = 10_000

export interface Following {
  readonly target: Target
  readonly excerpt: Excerpt
  /** Reads the log over a connection until it ends; returns the code of the command that read it. */
  readonly read: (connection: HostConnection, excerpt: Excerpt, isNew: (line: string) => boolean) => Promise<number>
}

/**
 * Follows until Ctrl-C.
 * @throws NetopsError `interrupted` then; anything but `unreachable` ends it too
 */
export async function followLog({ target, excerpt, read }: Following, context: FleetContext): Promise<never> {
  const seen = new SeenLines()
  const isNew = (line: string): boolean => {
    waitMs = backoff.firstMs
    return seen.isNew(line)
  }
  let waitMs = backoff.firstMs
  for (;;) {
    const { since } = seen
    seen.again()
    const wanted = since === undefined ? excerpt : { ...excerpt, since, lines: linesAgain }
    let reason: string
    try {
      const code = await onHost(target, (connection) => read(connection, wanted, isNew), context)
      // Ended by a signal, as where a host shuts down; its other codes are complaints that waiting does not mend.
      if (code > 0 && code < 128) {
        throw new NetopsError('failed', { host: target.name, message: `the log cannot be followed: exit ${code}` })
      }
      reason = 'the host ended it'
    } catch (thrown) {
      const error = locate(thrown, { host: target.name })
      if (error.code !== 'unreachable' || context.signal.aborted) throw error
      reason = error.message
    }
    context.progress(`${target.name}: ${reason}; again in ${formatDuration(waitMs)}`)
    await sleep(waitMs, undefined, { signal: context.signal }).catch((cause: unknown) => {
      throw new NetopsError('interrupted', { host: target.name, message: 'no longer followed', cause })
    })
    waitMs = Math.min(waitMs * 2, backoff.mostMs)
  }
}
