// The access log: one line for each request that was answered or broke off, whatever answered it.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { safeText } from './redact.ts'

/** One request, when it is over. */
export interface Access {
  readonly requestId: string
  /** The address at the other end of the connection: a proxy's, where there is one. */
  readonly client: string
  readonly method: string
  /** Without its query, which may hold secrets of clients. */
  readonly path: string
  /** Null where no answer was begun. */
  readonly status: number | null
  /** What was sent, with the head, in bytes. */
  readonly bytes: number
  /** From the end of the request's head to the end of the answer. */
  readonly durationMs: number
  /** Whether the connection broke before the answer was through. */
  readonly aborted: boolean
}

const longestPath = 2048
// What safeText looks for has one of these in it.
const suspect = /eyJ|[=@" ]/

/** The line with its end. */
export function accessLine(entry: Access, release: string, thread?: number): string {
  const path = entry.path.length > longestPath ? `${entry.path.slice(0, longestPath)}…` : entry.path
  // Put together by hand: there is one for every request.
  const id = JSON.stringify(entry.requestId)
  const shown = JSON.stringify(suspect.test(path) ? safeText(path) : path)
  const of = thread === undefined ? '' : `,"thread":${thread}`
  return (
    `{"time":"${timeNow()}","request_id":${id},"client":${JSON.stringify(entry.client)},"method":${JSON.stringify(entry.method)},` +
    `"path":${shown},"status":${entry.status ?? 'null'},"bytes":${entry.bytes},` +
    `"duration_ms":${entry.durationMs.toFixed(3)},"aborted":${entry.aborted},"release":${JSON.stringify(release)}${of}}\n`
  )
}

let [lastMs, lastText] = [0, '']

function timeNow(): string {
  const now = Date.now()
  if (now !== lastMs) [lastMs, lastText] = [now, new Date(now).toISOString()]
  return lastText
}

/**
 * A listener for the event `request` of servers.
 * @param wanted asked at the beginning of each request
 * @param idOf the name of a request
 */
export function watchAccess(
  wanted: () => boolean,
  log: (entry: Access) => void,
  idOf: (request: IncomingMessage) => string,
): (request: IncomingMessage, response: ServerResponse) => void {
  // Answers of one connection go out one after the other: what was sent since the last one is this one's.
  const accounted = new WeakMap<Socket, number>()
  return (request, response) => {
    if (!wanted()) return
    const { socket } = request
    const began = performance.now()
    // Gone once the connection is.
    const client = socket.remoteAddress?.replace(/^::ffff:/, '') ?? ''
    response.once('close', () => {
      const sent = socket.bytesWritten
      const bytes = Math.max(0, sent - (accounted.get(socket) ?? 0))
      accounted.set(socket, sent)
      log({
        requestId: idOf(request),
        client,
        method: request.method ?? '',
        path: (request.url ?? '').split('?')[0] ?? '',
        status: response.headersSent ? response.statusCode : null,
        bytes,
        durationMs: performance.now() - began,
        aborted: !response.writableFinished,
      })
    })
  }
}
