// One request at a time: what a connection sends reaches its HTTP parser piece by piece. Node would make a request and
// an answer of each of the thousands of small requests that fit into one read, before the first of them is answered.
import type { Socket } from 'node:net'

export interface Intake {
  /** Says that an answer has ended: what came after its request is looked at now. */
  readonly next: () => void
  /** Whether something has come that was not looked at yet. */
  readonly holds: () => boolean
}

/** What the connection is at. */
export interface Reader {
  /** Whether a request has come whole and its answer has not ended. */
  readonly busy: () => boolean
  /** Something came behind a request before that was answered. */
  readonly onAhead: () => void
  /** A part of a head, or of a body, was given to the parser. */
  readonly onPart: () => void
}

const nothing = Buffer.alloc(0)
const endOfHead = '\r\n\r\n'

/**
 * Puts itself between a connection and the HTTP parser that Node has attached to it, which is slower than Node's own way.
 *
 * At most one read, 64 KiB, is held as bytes beside what the socket buffers by itself, and then nothing more is read
 * until the answer has reached the kernel: a client that takes no answers is not listened to either.
 */
export function takeOneByOne(socket: Socket, { busy, onAhead, onPart }: Reader): Intake {
  const parsers = socket.listeners('data')
  const atEnd = socket.listeners('end')
  let waiting: Buffer = nothing
  let ended = false
  let stopped = false
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
      if (waiting.length > 0) onAhead()
      if (at < 0) onPart()
    }
    if (socket.destroyed) waiting = nothing
    else if (waiting.length > 0) {
      if (!socket.isPaused()) {
        stopped = true
        socket.pause()
      }
    } else if (ended) {
      // Node would end our side as well, under the answer that is being given.
      if (busy()) return
      ended = false
      for (const listener of atEnd) listener.call(socket)
    } else if (stopped) {
      stopped = false
      socket.resume()
    }
  }

  socket.on('data', (chunk: Buffer) => {
    waiting = waiting.length === 0 ? chunk : Buffer.concat([waiting, chunk])
    feed()
  })
  socket.on('end', () => {
    ended = true
    feed()
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
  }
}
