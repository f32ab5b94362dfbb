// The same work on every chosen host, so many at once; what fails on one host does not keep it from the others.
import pLimit from 'p-limit'
import type { HostConnection } from '../drivers/hosts/port.ts'
import { locate, NetopsError } from '../model/errors.ts'
import type { CommandContext } from './command.ts'
import type { Target } from './fleet.ts'

export interface Work<T> {
  readonly targets: readonly Target[]
  readonly atOnce: number
  readonly work: (connection: HostConnection, target: Target) => Promise<T>
  /** What stands for a host on which it failed. */
  readonly failed: (error: NetopsError, target: Target) => Promise<T> | T
}

/** Does the work; the results are in the order of the hosts. */
export async function onEachHost<T>(
  { targets, atOnce, work, failed }: Work<T>,
  context: CommandContext,
): Promise<readonly T[]> {
  return pLimit(atOnce).map(targets, async (target) => {
    try {
      return await onHost(target, work, context)
    } catch (thrown) {
      return failed(locate(thrown, { host: target.name }), target)
    }
  })
}

/** Connects, works, and closes. Ctrl-C leaves a connection that is still being made. */
export async function onHost<T>(to: Target, work: Work<T>['work'], context: CommandContext): Promise<T> {
  const { connect } = await import('./connect.ts')
  const { signal } = context
  if (signal.aborted) throw stopped()
  const connecting = connect(to, context)
  const aborted = Promise.withResolvers<never>()
  const onAbort = () => aborted.reject(stopped())
  signal.addEventListener('abort', onAbort, { once: true })
  let connection: HostConnection
  try {
    connection = await Promise.race([connecting, aborted.promise])
  } catch (error) {
    // Should it come after all, nobody needs it.
    connecting.then((late) => late.close()).catch(() => undefined)
    throw error
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
  try {
    return await work(connection, to)
  } finally {
    await connection.close()
  }
}

const stopped = (): NetopsError => new NetopsError('interrupted', { message: 'stopped before it began' })
