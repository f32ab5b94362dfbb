// A connection that nobody has to wait for: once its user leaves, what is under way is no longer waited for.
import { NetopsError } from '../../model/errors.ts'
import type { HostConnection } from './port.ts'

/** What becomes of whatever was not waited for. */
export const notWaitedFor = (what: string): NetopsError =>
  new NetopsError('interrupted', { message: `${what} was not waited for` })

/**
 * Waits for something until it is left.
 * @throws NetopsError `interrupted` then
 */
export async function untilLeft<T>(work: () => Promise<T>, what: string, leaving: AbortSignal): Promise<T> {
  if (leaving.aborted) throw notWaitedFor(what)
  const left = Promise.withResolvers<never>()
  const onAbort = (): void => left.reject(notWaitedFor(what))
  leaving.addEventListener('abort', onAbort, { once: true })
  const working = work()
  // Where it is left, nobody hears how it ended.
  working.catch(() => undefined)
  try {
    return await Promise.race([working, left.promise])
  } finally {
    leaving.removeEventListener('abort', onAbort)
  }
}

/** The same connection; a command that was given a signal of its own is ended by that one, on the host too. */
export const leavable = (connection: HostConnection, leaving: AbortSignal): HostConnection => ({
  name: connection.name,
  run: (argv, options = {}) =>
    options.signal === undefined
      ? untilLeft(() => connection.run(argv, options), argv[0] ?? '', leaving)
      : connection.run(argv, options),
  open: (to) => untilLeft(() => connection.open(to), 'the connection to a port', leaving),
  async close() {
    const closed = connection.close()
    if (!leaving.aborted) await closed
    closed.catch(() => undefined)
  },
})
