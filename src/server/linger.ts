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

// What is thrown away is read at 3 MB/s a connection: 10 MB, the guide's longest body, are gone in time for their client
// to read why, and hundreds of such clients leave time for the others.
const discardPauseMs = 20

/** Throws away whatever comes from now on, and closes the connection when its client has nothing more to say. */
export function discard(socket: Socket): void {
  // Those of Node's parser.
  socket.removeAllListeners('data')
  socket.removeAllListeners('end')
  socket.on('data', () => {
    socket.pause()
    setTimeout(() => socket.resume(), discardPauseMs).unref()
  })
  socket.on('end', () => socket.destroy())
  if (socket.readableEnded) socket.destroy()
  else socket.resume()
}
