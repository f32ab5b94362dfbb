// Every connection and request of the main port: counted while it runs, and brought to a good end when the service stops.
import { Server as NetServer, type Socket } from 'node:net'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'

export interface Traffic {
  /** A request was answered, or its connection broke, after that many seconds. */
  readonly onRequestEnd: (seconds: number) => void
}

export interface DrainLimits {
  /** How long idle connections stay open for a request that may be on its way, in ms. */
  readonly lingerMs: number
  /** How long requests may take to end, in ms. */
  readonly drainMs: number
}

// A client may be sending on a kept connection at the very moment the stop arrives. A second covers a round trip around
// the world several times over, and is short against the restart itself.
// And a client that has begun a request gets as long as the guide gives any request: 30 s.
export const drainLimits: DrainLimits = { lingerMs: 1000, drainMs: 30_000 }

interface Connection {
  readonly responses: Set<ServerResponse>
  /** How many bytes had come when the last request was answered: more means that another one is arriving. */
  settledBytes: number
}

export interface Connections {
  readonly active: () => number
  readonly requestsInFlight: () => number
  /**
   * Stops accepting, lets running requests end, and closes idle connections after a while. Every answer from now on
   * carries `Connection: close`.
   * @returns how many requests had to be cut off at the end of the time
   */
  drain(limits: DrainLimits): Promise<number>
}

export function trackConnections(server: Server, traffic: Traffic): Connections {
  const connections = new Map<Socket, Connection>()
  let stopping = false
  let lingering = true

  const isIdle = (socket: Socket, { responses, settledBytes }: Connection): boolean =>
    responses.size === 0 && socket.bytesRead === settledBytes
  const closeIdle = () => {
    for (const [socket, connection] of connections) if (isIdle(socket, connection)) socket.destroy()
  }

  server.on('connection', (socket: Socket) => {
    connections.set(socket, { responses: new Set(), settledBytes: 0 })
    socket.once('close', () => connections.delete(socket))
  })
  server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
    const connection = connections.get(request.socket)
    const started = performance.now()
    connection?.responses.add(response)
    if (stopping) response.setHeader('Connection', 'close')
    response.once('close', () => {
      traffic.onRequestEnd((performance.now() - started) / 1000)
      connection?.responses.delete(response)
      if (connection !== undefined) connection.settledBytes = request.socket.bytesRead
      if (stopping && !lingering) closeIdle()
    })
  })

  return {
    active: () => connections.size,
    requestsInFlight: () => [...connections.values()].reduce((sum, { responses }) => sum + responses.size, 0),
    async drain({ lingerMs, drainMs }) {
      stopping = true
      for (const { responses } of connections.values()) {
        for (const response of responses) if (!response.headersSent) response.setHeader('Connection', 'close')
      }
      const closed = new Promise<void>((resolve) => {
        // Not server.close(): that also closes idle connections at once, under requests that are on their way.
        NetServer.prototype.close.call(server, () => resolve())
      })
      const linger = setTimeout(() => {
        lingering = false
        closeIdle()
      }, lingerMs)
      let cut = 0
      const limit = setTimeout(() => {
        for (const [socket, { responses }] of connections) {
          cut += responses.size
          socket.destroy()
        }
      }, drainMs)
      await closed
      clearTimeout(linger)
      clearTimeout(limit)
      return cut
    },
  }
}
