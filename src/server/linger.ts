// The end of a connection on which a request was answered before all of it came.
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'

// nginx's lingering_timeout and lingering_time.
const quietMs = 5000
const longestMs = 30_000

export interface LingerOptions {
  /** The request that came last. */
  readonly newest: () => IncomingMessage | undefined
  /** The connection is open only for its client to read from now on: what it still sends is to be thrown away. */
  readonly onPart: () => void
}

/**
 * Has the connection closed only after its client could read the last answer: closed while a body is arriving, the
 * kernel sends a reset, and clients lose the answer that tells them why. What still comes is thrown away meanwhile.
 */
export function closeUnhurried(socket: Socket, { newest, onPart }: LingerOptions): void {
  const closeSoon = socket.destroySoon.bind(socket)
  // What Node calls after an answer with `Connection: close`.
  socket.destroySoon = () => {
    const request = newest()
    if (request === undefined || request.complete || socket.writableEnded) {
      closeSoon()
      return
    }
    socket.end()
    const limit = setTimeout(() => socket.destroy(), longestMs).unref()
    socket.setTimeout(quietMs)
    socket.once('close', () => clearTimeout(limit))
    onPart()
  }
}
