// Every connection and request of the plain and the TLS port: counted while it runs, bounded in what it may hold, and
// brought to a good end when the service stops.
import { Server as NetServer, type Socket } from 'node:net'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { Server as TlsServer } from 'node:tls'
import { takeOneByOne, type Intake, type Reader } from './intake.ts'
import { closeUnhurried } from './linger.ts'
import type { Guest, Places } from './places.ts'

export interface Traffic {
  readonly places: Places
  /** A client that takes nothing of an answer for this long is cut off, in ms. */
  readonly stalledMs: number
  /** A request was answered, or its connection broke. */
  readonly onRequestEnd: (end: RequestEnd) => void
  /** Told how many requests are answered or still arriving, whenever that has changed. */
  readonly onInFlight?: (requests: number) => void
  /** Sockets that hand their connections to one of the servers: closed with it. */
  readonly beside?: readonly NetServer[]
}

export interface RequestEnd {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** From the end of the request's head to the end of the answer. */
  readonly seconds: number
  /** What was sent, with the head. */
  readonly bytes: number
  /** The address at the other end of the connection. */
  readonly client: string
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

/** What is known of a connection that speaks HTTP. */
interface Talk {
  readonly guest: Guest
  /** What was accepted: itself, or the socket under TLS. */
  readonly below: Socket & { readonly _handle?: { readonly writeQueueSize?: number } | null }
  /** What the kernel had not taken yet when nothing had moved for long. */
  unsent: number
  /** Those that have not ended; more than one only where requests are sent before their turn. */
  readonly responses: ServerResponse[]
  /** The request that came last. */
  newest: IncomingMessage | undefined
  /** Whether the head or the body of a request has come in part. */
  arriving: boolean
}

interface Connection extends Talk {
  /** The address at its other end, which is gone once it is closed. */
  readonly client: string
  /** How many bytes its answers until now came to: they go out one after the other. */
  sent: number
  readonly intake: Intake
  /** The requests of it that were counted as being in flight. */
  counted: number
}

export interface Connections {
  readonly active: () => number
  /** Requests that are answered or still arriving. */
  readonly requestsInFlight: () => number
  /**
   * Stops accepting, lets running requests end, and closes idle connections after a while. Every answer from now on
   * carries `Connection: close`.
   * @returns how many requests had to be cut off at the end of the time
   */
  drain(limits: DrainLimits): Promise<number>
}

/** Tracks the connections of servers that do not listen yet. */
export function trackConnections(
  servers: readonly Server[],
  { places, stalledMs, onRequestEnd, onInFlight = () => undefined, beside = [] }: Traffic,
): Connections {
  // What was accepted, and what speaks HTTP: over TLS these are different sockets, one upon the other.
  const accepted = new Map<Socket, Guest>()
  const byPeer = new Map<string, Socket>()
  const connections = new Map<Socket, Connection>()
  let stopping = false
  let lingering = true
  let inFlightNow = 0

  const isIdle = (socket: Socket, { responses, arriving, intake }: Connection): boolean =>
    responses.length === 0 && (socket.writableEnded || (!arriving && !intake.holds()))
  const inFlight = ([socket, connection]: readonly [Socket, Connection]): number =>
    Math.max(connection.responses.length, isIdle(socket, connection) ? 0 : 1)
  const recount = (socket: Socket, connection: Connection) => {
    const now = connections.get(socket) === connection ? inFlight([socket, connection]) : 0
    if (now === connection.counted) return
    inFlightNow += now - connection.counted
    connection.counted = now
    onInFlight(inFlightNow)
  }
  const closeIdle = () => {
    for (const [socket, connection] of connections) if (isIdle(socket, connection)) socket.destroy()
    // What has sent nothing at all has not begun a handshake either.
    for (const socket of accepted.keys()) if (socket.bytesRead === 0) socket.destroy()
  }
  const enter = (socket: Socket) => {
    const guest: Guest = { leave: () => void socket.destroy() }
    if (!places.enter(guest)) {
      socket.destroy()
      return
    }
    const peer = peerOf(socket)
    accepted.set(socket, guest)
    byPeer.set(peer, socket)
    socket.once('close', () => {
      places.exit(guest)
      accepted.delete(socket)
      // Its client may have come back by the same port meanwhile.
      if (byPeer.get(peer) === socket) byPeer.delete(peer)
    })
  }
  const follow = (socket: Socket) => {
    // Over TLS the place belongs to the socket below, which took it before the handshake.
    const below = accepted.has(socket) ? socket : byPeer.get(peerOf(socket))
    const guest = below === undefined ? undefined : accepted.get(below)
    if (below === undefined || guest === undefined) {
      socket.destroy()
      return
    }
    const talk: Talk = { guest, below, unsent: 0, responses: [], newest: undefined, arriving: false }
    const onPiece = () => recount(socket, connection)
    const intake = takeOneByOne(socket, readerOf(talk, onPiece))
    const client = socket.remoteAddress?.replace(/^::ffff:/, '') ?? ''
    const connection: Connection = Object.assign(talk, { intake, client, sent: 0, counted: 0 })
    connections.set(socket, connection)
    closeUnhurried(socket, {
      newest: () => talk.newest,
      onPart: () => {
        places.part(guest)
        intake.discard()
      },
    })
    socket.once('close', () => {
      connections.delete(socket)
      recount(socket, connection)
    })
  }
  const track = (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request
    const connection = connections.get(socket)
    if (connection === undefined || socket.writableEnded) {
      // Sent behind a request whose answer said that it is the last one.
      socket.destroy()
      return
    }
    const started = performance.now()
    connection.responses.push(response)
    connection.newest = request
    places.work(connection.guest)
    recount(socket, connection)
    if (stopping) response.setHeader('Connection', 'close')
    response.on('close', () => {
      const seconds = (performance.now() - started) / 1000
      const before = connection.sent
      connection.sent = socket.bytesWritten
      const bytes = connection.sent - before
      onRequestEnd({ request, response, seconds, bytes, client: connection.client })
      connection.responses.splice(connection.responses.indexOf(response), 1)
      connection.arriving = !request.complete
      const over = connection.responses.length === 0 && !connection.intake.holds()
      if (over && !socket.writableEnded) places.rest(connection.guest)
      connection.intake.next()
      recount(socket, connection)
      if (stopping && !lingering) closeIdle()
    })
  }
  const onTimeout = (socket: Socket) => {
    const connection = connections.get(socket)
    const kept = connection?.newest?.complete === true && connection.responses.length === 0
    if (connection !== undefined && hasMoved(connection)) {
      socket.setTimeout(stalledMs)
      return
    }
    // A request that is still arriving is ended by Node, with an answer.
    if (connection === undefined || kept || socket.writableLength > 0 || socket.writableEnded) socket.destroy()
  }

  for (const server of servers) {
    server.prependListener('connection', enter)
    server.on(server instanceof TlsServer ? 'secureConnection' : 'connection', follow)
    server.prependListener('request', track)
    // Counts from the last byte in either direction, also of an answer that has been handed over in one piece.
    server.setTimeout(stalledMs, onTimeout)
  }

  return {
    active: places.open,
    requestsInFlight: () => inFlightNow,
    async drain({ lingerMs, drainMs }) {
      stopping = true
      for (const { responses } of connections.values()) {
        for (const response of responses) if (!response.headersSent) response.setHeader('Connection', 'close')
      }
      const closed = [...servers, ...beside].map(
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
        cut = inFlightNow
        for (const socket of accepted.keys()) socket.destroy()
      }, drainMs)
      await Promise.all(closed)
      clearTimeout(linger)
      clearTimeout(limit)
      return cut
    },
  }
}

// Over TLS Node sees no progress before a whole answer is through; on a plain socket it looks at the same figure itself.
function hasMoved(talk: Talk): boolean {
  const unsent = talk.below._handle?.writeQueueSize ?? 0
  const moved = unsent > 0 && unsent !== talk.unsent
  talk.unsent = unsent
  return moved
}

function readerOf(talk: Talk, onPiece: () => void): Reader {
  let seen: IncomingMessage | undefined
  let wasWhole = true
  return {
    busy() {
      for (const { req } of talk.responses) if (req.complete) return true
      return false
    },
    onPiece() {
      const { newest } = talk
      const whole = newest?.complete !== false
      // A piece that neither began nor ended a request is part of a head.
      talk.arriving = !whole || (newest === seen && wasWhole)
      seen = newest
      wasWhole = whole
      onPiece()
    },
  }
}

/** The same for a TLS socket and the one that it speaks over. */
const peerOf = ({ remoteAddress = '', remotePort = 0, localAddress = '', localPort = 0 }: Socket): string =>
  `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`
