// One request at a time: what a connection sends reaches its HTTP parser piece by piece. Node would make a request and
// an answer of each of the thousands of small requests that fit into one read, before the first of them is answered.
import type { Socket } from 'node:net'

export interface Intake {
  /** Says that an answer has ended: what came after its request is looked at now. */
  readonly next: () => void
  /** Whether something has come that was not looked at yet. */
  readonly holds: () => boolean
  /** Throws away whatever comes from now on, until the client has nothing more to say. */
  readonly discard: () => void
}

/** What the connection is at; asked before and told after each piece. */
export interface Reader {
  /** Whether a request has come whole and its answer has not ended. */
  readonly busy: () => boolean
  /** A piece was given to the parser. */
  readonly onPiece: () => void
}

// What is thrown away is read at 3 MB/s a connection: 10 MB, the guide's longest body, are gone in time for their client
// to read why, and hundreds of such clients leave time for the others.
const discardPauseMs = 20

const nothing = Buffer.alloc(0)
const endOfHead = '\r\n\r\n'

/**
 * Puts itself between a connection and the HTTP parser that Node has just attached to it.
 *
 * At most one read, 64 KiB, is held as bytes beside what the socket buffers by itself, and then nothing more is read
 * until the answer has reached the kernel: a client that takes no answers is not listened to either.
 */
export function takeOneByOne(socket: Socket, { busy, onPiece }: Reader): Intake {
  const parsers = socket.listeners('data')
  const atEnd = socket.listeners('end')
  let waiting: Buffer = nothing
  let ended = false
  let stopped = false
  let discarding = false
  let due: NodeJS.Immediate | undefined

  // Whoever reads a body pauses the socket too, and so does Node itself.
  const heldByOthers = () => socket.isPaused() && !stopped
  const feed = () => {
    while (waiting.length > 0 && !busy() && !heldByOthers() && !socket.destroyed) {
      const at = waiting.indexOf(endOfHead)
      // No piece holds the ends of two heads, unless the first of them was split between two reads.
      const piece = at < 0 ? waiting : waiting.subarray(0, at + endOfHead.length)
      waiting = piece.length === waiting.length ? nothing : waiting.subarray(piece.length)
      for (const parse of parsers) parse.call(socket, piece)
      onPiece()
    }
    if (socket.destroyed) waiting = nothing
    else if (waiting.length > 0) {
      if (!socket.isPaused()) {
        stopped = true
        socket.pause()
      }
    } else if (ended) {
      ended = false
      for (const listener of atEnd) listener.call(socket)
    } else if (stopped) {
      stopped = false
      socket.resume()
    }
  }

  socket.on('data', (chunk: Buffer) => {
    if (discarding) {
      socket.pause()
      setTimeout(() => socket.resume(), discardPauseMs).unref()
      return
    }
    waiting = waiting.length === 0 ? chunk : Buffer.concat([waiting, chunk])
    feed()
  })
  socket.on('end', () => {
    ended = true
    if (discarding) socket.destroy()
    else feed()
  })
  socket.on('resume', () => {
    // Told later than it was done: meanwhile it may have been stopped again.
    if (!socket.isPaused()) stopped = false
    if (waiting.length > 0) feed()
  })
  for (const listener of parsers) socket.removeListener('data', listener as () => void)
  for (const listener of atEnd) socket.removeListener('end', listener as () => void)

  return {
    // Other connections get their turn in between.
    next() {
      if (waiting.length === 0 && !ended) return
      due ??= setImmediate(() => {
        due = undefined
        feed()
      })
    },
    holds: () => waiting.length > 0,
    discard() {
      discarding = true
      waiting = nothing
      if (ended) socket.destroy()
      else socket.resume()
    },
  }
}
