// Every connection and request of the plain and the TLS port: counted while it runs, and brought to a good end when the service stops.
import { Server as NetServer, type Socket } from 'node:net'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { Server as TlsServer } from 'node:tls'

export interface Traffic {
  /** How many connections may be open at once, on all servers together. */
  readonly most: number
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

/**
 * Tracks the connections of servers that do not listen yet.
 *
 * A connection beyond the limit is accepted by the kernel and closed at once by Node: its client sees an end of stream
 * or a reset before any answer.
 */
export function trackConnections(servers: readonly Server[], { most, onRequestEnd }: Traffic): Connections {
  // What was accepted, by its server, and what speaks HTTP: over TLS these are different sockets, one upon the other.
  const accepted = new Map(servers.map((server) => [server, new Set<Socket>()]))
  const connections = new Map<Socket, Connection>()
  let stopping = false
  let lingering = true

  const everyAccepted = (): readonly Socket[] => [...accepted.values()].flatMap((sockets) => [...sockets])
  const active = (): number => [...accepted.values()].reduce((sum, { size }) => sum + size, 0)
  const shareLimit = () => {
    for (const [server, { size }] of accepted) server.maxConnections = most - (active() - size)
  }
  const isIdle = (socket: Socket, { responses, settledBytes }: Connection): boolean =>
    responses.size === 0 && socket.bytesRead === settledBytes
  const closeIdle = () => {
    for (const [socket, connection] of connections) if (isIdle(socket, connection)) socket.destroy()
    // What has sent nothing at all has not begun a handshake either.
    for (const socket of everyAccepted()) if (socket.bytesRead === 0) socket.destroy()
  }
  const follow = (socket: Socket) => {
    connections.set(socket, { responses: new Set(), settledBytes: 0 })
    socket.once('close', () => connections.delete(socket))
  }
  const track = (request: IncomingMessage, response: ServerResponse) => {
    const connection = connections.get(request.socket)
    const started = performance.now()
    connection?.responses.add(response)
    if (stopping) response.setHeader('Connection', 'close')
    response.once('close', () => {
      onRequestEnd((performance.now() - started) / 1000)
      connection?.responses.delete(response)
      if (connection !== undefined) connection.settledBytes = request.socket.bytesRead
      if (stopping && !lingering) closeIdle()
    })
  }

  for (const [server, sockets] of accepted) {
    server.on('connection', (socket: Socket) => {
      sockets.add(socket)
      shareLimit()
      socket.once('close', () => {
        sockets.delete(socket)
        shareLimit()
      })
    })
    server.on(server instanceof TlsServer ? 'secureConnection' : 'connection', follow)
    server.prependListener('request', track)
  }
  shareLimit()

  return {
    active,
    requestsInFlight: () => [...connections.values()].reduce((sum, { responses }) => sum + responses.size, 0),
    async drain({ lingerMs, drainMs }) {
      stopping = true
      for (const { responses } of connections.values()) {
        for (const response of responses) if (!response.headersSent) response.setHeader('Connection', 'close')
      }
      const closed = servers.map(
        (server) =>
          // Not server.close(): that also closes idle connections at once, under requests that are on their way.
          new Promise<void>((resolve) => NetServer.prototype.close.call(server, () => resolve())),
      )
      const linger = setTimeout(() => {
        lingering = false
        closeIdle()
      }, lingerMs)
      let cut = 0
      const limit = setTimeout(() => {
        for (const { responses } of connections.values()) cut += responses.size
        for (const socket of everyAccepted()) socket.destroy()
      }, drainMs)
      await Promise.all(closed)
      clearTimeout(linger)
      clearTimeout(limit)
      return cut
    },
  }
}
