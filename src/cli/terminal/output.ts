// Standard output: every byte of a result arrives, or it is known that it did not; and whoever reads it may go away.
import { constants, fstatSync, writeSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { messageOf, systemCode } from '../../model/errors.ts'

export interface Output {
  /** Resolves when more may come: a slow reader slows whoever waits for it. */
  readonly write: (bytes: string | Uint8Array) => Promise<void>
  /** Resolves when all that was written has arrived or cannot; with the reason where it did not. A reader that left is none. */
  readonly delivered: () => Promise<Error | undefined>
  /** Calls once nothing of it arrives any more: {@link readerLeft}, also while nothing is written, or what went wrong. */
  readonly whenUnread: (tell: (why: Error) => void) => void
}

/** Whoever read what was printed has left: nobody needs to be told. */
export const readerLeft = new Error('whoever read the output has left')

// pipe(7): nobody reads it any more; a socket says it otherwise.
const leftCodes = ['EPIPE', 'ECONNRESET']
const lookEveryMs = 200

/** The standard output of this process; to be made once. */
export function standardOutput(stream: NodeJS.WriteStream & { readonly fd: 1 } = process.stdout): Output {
  const unread = Promise.withResolvers<Error>()
  let fault: Error | undefined
  let last: Promise<void> = Promise.resolve()
  const failed = (thrown: unknown): void => {
    const error = thrown instanceof Error ? thrown : new Error(messageOf(thrown))
    const code = systemCode(error) ?? ''
    // A terminal that is gone fails with EIO (SIGHUP tells of it).
    if (leftCodes.includes(code) || (stream.isTTY && code === 'EIO')) unread.resolve(readerLeft)
    else unread.resolve((fault ??= error))
  }
  stream.on('error', failed)
  const send = isFile(stream.fd, stream.isTTY) ? toFile(stream.fd) : toStream(stream)
  return {
    write(bytes) {
      // What comes after a gap would look like the whole.
      if (fault === undefined) last = send(bytes).catch(failed)
      return last
    },
    async delivered() {
      await last
      return fault
    },
    whenUnread(tell) {
      void unread.promise.then(tell)
      if (fstatSync(stream.fd).isFIFO()) lookForReader(stream.fd, () => unread.resolve(readerLeft))
    },
  }
}

const isFile = (fd: number, isTerminal: boolean): boolean => {
  const is = fstatSync(fd)
  return !isTerminal && (is.isFile() || is.isCharacterDevice() || is.isBlockDevice())
}

/** Node's own stream writes once, and does not see that a disk which is nearly full has taken a part alone. */
const toFile =
  (fd: number) =>
  (given: string | Uint8Array): Promise<void> =>
    new Promise((resolve) => {
      const bytes = typeof given === 'string' ? Buffer.from(given) : given
      for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at)
      resolve()
    })

const toStream = (stream: NodeJS.WriteStream) => (bytes: string | Uint8Array) =>
  new Promise<void>((resolve, reject) => {
    stream.write(bytes, (error) => {
      if (error) reject(error)
      else resolve()
    })
  })

/**
 * Looks whether a pipe has a reader. Writing would tell it, but the next line of a log may come in hours; and Node watches no
 * pipe that it only writes to. Opening it for writing without waiting fails where nobody reads it (fifo(7)).
 */
function lookForReader(fd: number, left: () => void): void {
  const look = async (): Promise<void> => {
    try {
      const again = await open(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK)
      await again.close()
    } catch (error) {
      clearInterval(timer)
      // Else it cannot be told, as with a pipe that another account has made; then writing tells it.
      if (systemCode(error) === 'ENXIO') left()
    }
  }
  const timer = setInterval(() => void look(), lookEveryMs)
  timer.unref()
}
