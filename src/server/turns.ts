// One request of a connection at a time. Node parses whatever a read brought, so that requests which were sent ahead are
// there before their turn: they wait here, and nothing more is read of their connection meanwhile.
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** The requests of one connection that came before their turn, as the answers that they will get. */
export interface Queue {
  readonly size: () => number
  /** Has a request wait, and the connection with it. */
  readonly add: (response: ServerResponse) => void
  /** Whose turn it is now. */
  readonly shift: () => ServerResponse | undefined
  /** Listens to the connection again, unless somebody still waits. */
  readonly goOn: () => void
  /** Sends whoever came last away. */
  readonly dropLast: () => void
  /** Sends everybody away. */
  readonly clear: () => void
}

export function createQueue(socket: Socket): Queue {
  const ahead: ServerResponse[] = []
  let stopped = false
  const hold = () => {
    stopped = true
    socket.pause()
  }
  // Node listens again by itself when the client has taken what was kept for it.
  socket.on('resume', () => {
    if (ahead.length > 0) hold()
    else stopped = false
  })
  const goOn = () => {
    if (stopped && ahead.length === 0) socket.resume()
  }
  return {
    size: () => ahead.length,
    add(response) {
      ahead.push(response)
      if (!stopped) hold()
    },
    shift() {
      const next = ahead.shift()
      // The rest of its body is on its way.
      if (next?.req.complete === false) goOn()
      return next
    },
    goOn,
    dropLast: () => void ahead.pop(),
    clear: () => void (ahead.length = 0),
  }
}
