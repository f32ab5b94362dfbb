// The same work on every chosen host, so many at once; what fails on one host does not keep it from the others.
import pLimit from 'p-limit'
import type { HostConnection } from '../drivers/hosts/port.ts'
import { locate, NetopsError } from '../model/errors.ts'
import type { Target } from '../model/target.ts'
import type { FleetContext } from './context.ts'

// Enough for the handshakes of a few dozen hosts to overlap, and few enough for any bastion.
const usualAtOnce = 20

export interface HostWork<T> {
  readonly targets: readonly Target[]
  /** On how many hosts at once; {@link usualAtOnce} unless it says so. */
  readonly atOnce?: number
  readonly work: (connection: HostConnection, target: Target) => Promise<T>
  /** Hears of each host whose work is over, with how many are. */
  readonly progress?: ((host: string, done: number) => void) | undefined
}

/** What came of the work on one host: its value, or why there is none. */
export type HostAnswer<T> = {
  readonly host: string
  readonly target: Target
  /** How long it took, with connecting. */
  readonly ms: number
} & ({ readonly value: T; readonly error?: undefined } | { readonly error: NetopsError; readonly value?: undefined })

type PoolContext = Pick<FleetContext, 'connections' | 'signal'>

/** Does the work on each host over a connection of its own; the answers are in the order of the hosts. */
export async function onEachHost<T>(
  { targets, atOnce = usualAtOnce, work, progress }: HostWork<T>,
  context: PoolContext,
): Promise<readonly HostAnswer<T>[]> {
  let done = 0
  return pLimit(atOnce).map(targets, async (target): Promise<HostAnswer<T>> => {
    const host = target.name
    const begun = performance.now()
    const where = () => ({ host, target, ms: Math.round(performance.now() - begun) })
    try {
      const value = await onHost(target, work, context)
      return { ...where(), value }
    } catch (thrown) {
      return { ...where(), error: locate(thrown, { host }) }
    } finally {
      done += 1
      progress?.(host, done)
    }
  })
}

/**
 * Connects, works, and closes. Ctrl-C leaves a connection that is still being made.
 * @throws NetopsError `interrupted` when it was stopped before it began, else what connecting or the work throws
 */
export async function onHost<T>(to: Target, work: HostWork<T>['work'], context: PoolContext): Promise<T> {
  const { connections, signal } = context
  if (signal.aborted) throw stopped()
  const connecting = connections.connect(to)
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
