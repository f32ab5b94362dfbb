// What every HTTP server of the service has in common: time limits, and answers of our own where Node has its own.
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { systemCode } from '../model/errors.ts'
import type { ServerConfig } from '../model/server-config.ts'
import { rawProblem } from './problem.ts'

// How often Node looks for requests over their time; with its own 30 s a limit of 5 s could take 35.
const timeoutCheckMs = 1000

/**
 * Has a server leave to us what Node would otherwise answer before anybody is asked.
 * @param onBroken told with which status a request was answered that could not be read
 */
export function prepared<Kind extends Server>(
  server: Kind,
  onBroken: (status: number) => void = () => undefined,
): Kind {
  server.on('clientError', (error, socket: Socket) => {
    const status = answerBrokenRequest(error, socket)
    if (status !== undefined) onBroken(status)
  })
  // Here Node would ask for the body at once, or refuse.
  for (const event of ['checkContinue', 'checkExpectation']) {
    server.on(event, (request: IncomingMessage, response: ServerResponse) => server.emit('request', request, response))
  }
  return server
}

/** What Node itself keeps of time limits, for each server. */
export const limitsOf = ({ performance }: Pick<ServerConfig, 'performance'>) => ({
  // The guard does, with a problem and after the request was counted.
  requireHostHeader: false,
  keepAliveTimeout: performance.keep_alive_timeout_ms,
  requestTimeout: performance.request_timeout_ms,
  headersTimeout: performance.request_timeout_ms,
  connectionsCheckingInterval: Math.min(timeoutCheckMs, performance.request_timeout_ms),
})

const statusOfBrokenRequest: Readonly<Record<string, readonly [number, string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'the request did not arrive within the time limit'],
  HPE_HEADER_OVERFLOW: [431, 'the headers are too large'],
}

/**
 * Answers a request that could not be read, when nothing of an answer has been sent yet.
 * @returns with which status, where the request was at fault
 */
function answerBrokenRequest(
  error: Error,
  socket: Socket & { _httpMessage?: ServerResponse | null },
): number | undefined {
  const code = systemCode(error) ?? ''
  if (!socket.writable || code === 'ECONNRESET' || socket._httpMessage?.headersSent === true) {
    socket.destroy(error)
    return undefined
  }
  const [status, detail] = statusOfBrokenRequest[code] ?? [400, 'not a valid HTTP request']
  socket.end(rawProblem(status, detail), () => socket.destroy())
  // A client that left half way through its request did not get it wrong.
  return code === 'HPE_INVALID_EOF_STATE' ? undefined : status
}
