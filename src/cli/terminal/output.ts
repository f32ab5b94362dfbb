// Standard output: every byte of a result arrives, or it is known that it did not; and whoever reads it may go away.
import { fstatSync, writeSync } from 'node:fs'
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
const watchAfterMs = 500

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
      if (fstatSync(stream.fd).isFIFO()) watchReader(() => unread.resolve(readerLeft))
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
 * Watches a pipe that nothing may be written to for hours. Node watches none that it only writes to (libuv asks for no event
 * there), and opening it anew succeeds without a reader, for it has no name (Linux, fs/pipe.c); tail(1) of coreutils does. A
 * command that ends soon does without.
 */
function watchReader(left: () => void): void {
  const begin = async (): Promise<void> => {
    const { outputUnread } = await import('../../system/exec.ts')
    if (await outputUnread()) left()
  }
  setTimeout(() => void begin(), watchAfterMs).unref()
}
