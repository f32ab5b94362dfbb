// Every connection and request of the plain and the TLS port: counted while it runs, bounded in what it may hold, and
// brought to a good end when the service stops.
import { Server as NetServer, type Socket } from 'node:net'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { Server as TlsServer } from 'node:tls'
import { systemCode } from '../model/errors.ts'
import { bodyIsTold } from './bodies.ts'
import { takeOneByOne, type Intake } from './intake.ts'
import { closeUnhurried, discard } from './linger.ts'
import type { Guest, Places } from './places.ts'
import { createQueue, type Queue } from './turns.ts'

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
interface Connection {
  readonly socket: Socket
  readonly guest: Guest
  /** What was accepted: itself, or the socket under TLS. */
  readonly below: Socket & { readonly _handle?: { readonly writeQueueSize?: number } | null }
  /** The address at its other end, which is gone once it is closed. */
  readonly client: string
  /** What the kernel had not taken yet when nothing had moved for long. */
  unsent: number
  /** How many bytes its answers until now came to: they go out one after the other. */
  sent: number
  /** How many bytes had come with the last request that is answered: what came since begins another. */
  heard: number
  /** The answer that is being given now. */
  current: ServerResponse | undefined
  /** The request that came last. */
  newest: IncomingMessage | undefined
  /** Those that came before their turn; there from the first of them on. */
  queue: Queue | undefined
  /** What comes is given to Node's parser by it; without one, by Node itself. */
  intake: Intake | undefined
  /** What came behind its last request could not be read; said once that is answered. */
  broken: Error | undefined
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

// More requests than this sent ahead on one connection are no accident.
const fewAhead = 4
const waryMs = 30_000
// Ten thousand connections are looked at in a millisecond or two.
const countMs = 250
const unknown = -1

/** Tracks the connections of servers that do not listen yet, and has their requests answered one at a time. */
export function trackConnections(
  servers: readonly Server[],
  { places, stalledMs, onRequestEnd, onInFlight = () => undefined, beside = [] }: Traffic,
): Connections {
  // What was accepted, and what speaks HTTP: over TLS these are different sockets, one upon the other.
  const accepted = new Map<Socket, Guest>()
  const byPeer = new Map<string, Socket>()
  const connections = new Map<Socket, Connection>()
  // Until when clients are taken for such that send ahead, in ms.
  let wary = 0
  let stopping = false
  let lingering = true
  let inFlightNow = 0

  const recount = (connection: Connection) => {
    const now = connections.has(connection.socket) ? inFlight(connection) : 0
    if (now === connection.counted) return
    inFlightNow += now - connection.counted
    connection.counted = now
    onInFlight(inFlightNow)
  }
  // Of what begins to arrive nobody tells but the count of bytes.
  const recountAll = () => {
    for (const connection of connections.values()) if (connection.current === undefined) recount(connection)
  }
  const counting = setInterval(recountAll, countMs).unref()
  const closeIdle = () => {
    for (const connection of connections.values()) if (isIdle(connection)) connection.socket.destroy()
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
  const bePieceByPiece = (connection: Connection) => {
    const { socket } = connection
    if (connection.intake !== undefined || socket.destroyed) return
    // Node reads for its parser by other means than for us, and would not begin with these.
    if (!isReading(socket)) {
      socket.once('resume', () => bePieceByPiece(connection))
      return
    }
    connection.intake = takeOneByOne(socket, {
      busy: () => connection.current?.req.complete === true || isQueued(connection),
      onAhead: () => (wary = performance.now() + waryMs),
      onPart() {
        // Of a head: it is not known yet how long it is.
        if (connection.current === undefined) connection.heard = unknown
      },
    })
  }
  /** A client sends ahead: from now on nobody's requests are made before their turn. */
  const beWary = (of: Connection) => {
    const already = performance.now() < wary
    wary = performance.now() + waryMs
    // Not in the midst of what its parser does.
    if (of.intake === undefined) setImmediate(bePieceByPiece, of)
    if (already) return
    for (const connection of connections.values()) if (connection !== of) bePieceByPiece(connection)
  }
  const follow = (socket: Socket) => {
    // Over TLS the place belongs to the socket below, which took it before the handshake.
    const below = accepted.has(socket) ? socket : byPeer.get(peerOf(socket))
    const guest = below === undefined ? undefined : accepted.get(below)
    if (below === undefined || guest === undefined) {
      socket.destroy()
      return
    }
    const client = socket.remoteAddress?.replace(/^::ffff:/, '') ?? ''
    const connection: Connection = {
      ...{ socket, guest, below, client, unsent: 0, sent: 0, heard: socket.bytesRead, counted: 0 },
      ...{ current: undefined, newest: undefined, queue: undefined, intake: undefined, broken: undefined },
    }
    connections.set(socket, connection)
    if (performance.now() < wary) bePieceByPiece(connection)
    closeUnhurried(socket, {
      newest: () => connection.newest,
      onPart: () => {
        places.part(guest)
        connection.queue?.clear()
        discard(socket)
      },
    })
    socket.once('close', () => {
      connections.delete(socket)
      recount(connection)
    })
  }
  /** Has a server's requests and its broken requests answered in their turn. */
  const lead = (server: Server) => {
    const answer = takenFrom(server, 'request')
    const answerBroken = takenFrom(server, 'clientError')

    const begin = (connection: Connection, response: ServerResponse) => {
      const started = performance.now()
      connection.current = response
      places.work(connection.guest)
      recount(connection)
      if (stopping && !isQueued(connection)) response.setHeader('Connection', 'close')
      response.on('close', () => end(connection, response, started))
      answer(response.req, response)
    }
    const end = (connection: Connection, response: ServerResponse, started: number) => {
      const { socket, queue } = connection
      const { req: request } = response
      const seconds = (performance.now() - started) / 1000
      const before = connection.sent
      connection.sent = socket.bytesWritten
      onRequestEnd({ request, response, seconds, bytes: connection.sent - before, client: connection.client })
      connection.current = undefined
      if (queue !== undefined && queue.size() > 0) {
        // Other connections get their turn in between.
        setImmediate(goOn, connection, queue)
        return
      }
      if (request.complete && bodyIsTold(request)) connection.heard = socket.bytesRead
      if (connection.broken !== undefined) answerBroken(connection.broken, socket)
      else queue?.goOn()
      connection.intake?.next()
      if (!socket.writableEnded && !isAhead(connection)) places.rest(connection.guest)
      recount(connection)
      if (stopping && !lingering) closeIdle()
    }
    const goOn = (connection: Connection, queue: Queue) => {
      const next = queue.shift()
      if (next !== undefined && !connection.socket.destroyed) begin(connection, next)
    }
    server.on('request', (request, response) => {
      const { socket } = request
      const connection = connections.get(socket)
      if (connection === undefined || socket.writableEnded) {
        // Sent behind a request whose answer said that it is the last one.
        socket.destroy()
        return
      }
      connection.newest = request
      connection.heard = socket.bytesRead
      if (!isAnswering(connection)) {
        begin(connection, response)
        return
      }
      connection.queue ??= createQueue(socket)
      connection.queue.add(response)
      if (connection.queue.size() === fewAhead) beWary(connection)
      recount(connection)
    })
    server.on('clientError', (error, socket: Socket) => {
      const connection = connections.get(socket)
      const behind = systemCode(error)?.startsWith('HPE_') === true
      if (connection === undefined || !behind || !isAnswering(connection)) {
        answerBroken(error, socket)
        return
      }
      // A request that has come in part is the one that is broken.
      const { newest, current, queue } = connection
      if (newest?.complete === false) {
        if (newest === current?.req) {
          answerBroken(error, socket)
          return
        }
        queue?.dropLast()
      }
      connection.broken = error
      socket.pause()
    })
  }
  const onTimeout = (socket: Socket) => {
    const connection = connections.get(socket)
    const kept = connection?.newest?.complete === true && connection.current === undefined
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
    lead(server)
    // Counts from the last byte in either direction, also of an answer that has been handed over in one piece.
    server.setTimeout(stalledMs, onTimeout)
  }

  return {
    active: places.open,
    requestsInFlight: () => inFlightNow,
    async drain({ lingerMs, drainMs }) {
      stopping = true
      for (const connection of connections.values()) {
        const { current } = connection
        if (current?.headersSent === false && !isQueued(connection)) current.setHeader('Connection', 'close')
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
        recountAll()
        cut = inFlightNow
        for (const socket of accepted.keys()) socket.destroy()
      }, drainMs)
      await Promise.all(closed)
      clearTimeout(linger)
      clearTimeout(limit)
      clearInterval(counting)
      return cut
    },
  }
}

const isReading = (socket: Socket & { readonly _handle?: { readonly reading?: boolean } | null }): boolean =>
  !socket.isPaused() && socket._handle?.reading !== false

/** Whether requests wait for the answers before theirs. */
const isQueued = ({ queue }: Connection): boolean => queue !== undefined && queue.size() > 0

const isAnswering = (connection: Connection): boolean => connection.current !== undefined || isQueued(connection)

/** Whether what its client sends is more than the request that is answered. */
const isAhead = (connection: Connection): boolean => isQueued(connection) || connection.intake?.holds() === true

const isIdle = (connection: Connection): boolean => {
  const { socket, newest, heard } = connection
  if (connection.current !== undefined || (isAhead(connection) && !socket.writableEnded)) return false
  return socket.writableEnded || (socket.bytesRead === heard && newest?.complete !== false)
}

const inFlight = (connection: Connection): number => {
  const answers = (connection.current === undefined ? 0 : 1) + (connection.queue?.size() ?? 0)
  return answers === 0 && !isIdle(connection) ? 1 : answers
}

/** Takes an event away from those who listen to it. */
function takenFrom(server: Server, event: string): (...args: readonly unknown[]) => void {
  const listeners = server.rawListeners(event)
  server.removeAllListeners(event)
  return (...args) => {
    for (const listener of listeners) listener.apply(server, args)
  }
}

// Over TLS Node sees no progress before a whole answer is through; on a plain socket it looks at the same figure itself.
function hasMoved(connection: Connection): boolean {
  const unsent = connection.below._handle?.writeQueueSize ?? 0
  const moved = unsent > 0 && unsent !== connection.unsent
  connection.unsent = unsent
  return moved
}

/** The same for a TLS socket and the one that it speaks over. */
const peerOf = ({ remoteAddress = '', remotePort = 0, localAddress = '', localPort = 0 }: Socket): string =>
  `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`
