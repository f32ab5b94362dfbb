// The HTTP interface, plain and over TLS: health for balancers and deployments, and problems for everything else.
import { createServer, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { Socket } from 'node:net'
import type { SecureContextOptions } from 'node:tls'
import { fastify, type FastifyError, type FastifyInstance } from 'fastify'
import { systemCode } from '../model/errors.ts'
import type { ServerConfig } from '../model/server-config.ts'
import { guard, type Handler } from './guard.ts'
import type { Health } from './health.ts'
import type { Logger } from './logger.ts'
import { problemBody, problemType, rawProblem, sendProblem } from './problem.ts'
import type { TokenCheck } from './tokens.ts'

export interface AppOptions {
  readonly config: ServerConfig
  /** What the TLS port speaks; undefined where there is none. */
  readonly tls: SecureContextOptions | undefined
  /** Undefined where requests need no token. */
  readonly tokens: TokenCheck | undefined
  readonly health: Health
  /** Whether this instance is past its start and not yet stopping. */
  readonly serving: () => boolean
  readonly version: string
  readonly release: string
  readonly logger: Logger
}

// How often Node looks for requests over their time; with its own 30 s a limit of 5 s could take 35.
const timeoutCheckMs = 1000

export interface App {
  readonly plain: Server
  /** The same over TLS; undefined where that is not enabled. */
  readonly tls: Server | undefined
}

/** The application with its servers, ready to listen. */
export async function createApp(options: AppOptions): Promise<App> {
  const { performance, security, server } = options.config
  const tlsPort = security.require_tls ? server.tls_port : undefined
  const guarded = (handler: Handler): Handler => guard({ tlsPort, tokens: options.tokens }, handler)
  const limits = limitsOf(options.config)
  const app = fastify({
    bodyLimit: performance.max_request_size,
    serverFactory: (handler) => createServer(limits, guarded(handler)).on('clientError', answerBrokenRequest),
    frameworkErrors: (error, _request, reply) => sendProblem(reply.raw, error.statusCode ?? 400, error.message),
  })
  addHealthRoutes(app, options)
  addProblems(app, options.logger)
  const tls =
    options.tls === undefined
      ? undefined
      : createTlsServer(
          { ...options.tls, ...limits, handshakeTimeout: performance.request_timeout_ms },
          guarded((request, response) => app.routing(request, response)),
        ).on('clientError', answerBrokenRequest)
  await app.ready()
  return { plain: app.server, tls }
}

const limitsOf = ({ performance }: ServerConfig) => ({
  keepAliveTimeout: performance.keep_alive_timeout_ms,
  requestTimeout: performance.request_timeout_ms,
  headersTimeout: performance.request_timeout_ms,
  connectionsCheckingInterval: Math.min(timeoutCheckMs, performance.request_timeout_ms),
})

function addHealthRoutes(app: FastifyInstance, { health, serving, release, version }: AppOptions): void {
  app.get('/health', async (_request, reply) => {
    const status = await health.read()
    return reply
      .code(status.healthy ? 200 : 503)
      .header('cache-control', 'no-store')
      .send(status)
  })
  app.get('/health/live', (_request, reply) => reply.header('cache-control', 'no-store').send({ live: true }))
  app.get('/health/ready', async (_request, reply) => {
    const { checks } = await health.read()
    // Asked after the wait: a stop may have come meanwhile.
    const ready = serving() && checks.database
    return reply
      .code(ready ? 200 : 503)
      .header('cache-control', 'no-store')
      .header('x-release', release)
      .send({ ready, release, version })
  })
}

function addProblems(app: FastifyInstance, logger: Logger): void {
  // Bodies are read, so that the size and time limits hold for every request, and left as they are.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  app.setNotFoundHandler((request, reply) =>
    reply
      .code(404)
      .type(problemType)
      .send(problemBody(404, `nothing is served at ${request.method} ${pathOf(request.url)}`)),
  )
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const status = error.statusCode ?? 500
    if (status >= 500)
      logger.error({ err: error, method: request.method, path: pathOf(request.url) }, 'a request failed')
    // What went wrong inside is for the log, not for the client.
    const detail = status >= 500 ? 'the request failed inside the server' : error.message
    return reply.code(status).type(problemType).send(problemBody(status, detail))
  })
}

/** An address without its query, which may hold secrets of clients. */
const pathOf = (url: string): string => url.split('?')[0] ?? ''

const statusOfBrokenRequest: Readonly<Record<string, readonly [number, string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'the request did not arrive within the time limit'],
  HPE_HEADER_OVERFLOW: [431, 'the headers are too large'],
}

/** Answers a request that could not be read, when nothing of an answer has been sent yet. */
function answerBrokenRequest(error: Error, socket: Socket & { _httpMessage?: ServerResponse | null }): void {
  const code = systemCode(error) ?? ''
  if (!socket.writable || code === 'ECONNRESET' || socket._httpMessage?.headersSent === true) {
    socket.destroy(error)
    return
  }
  const [status, detail] = statusOfBrokenRequest[code] ?? [400, 'not a valid HTTP request']
  socket.end(rawProblem(status, detail), () => socket.destroy())
}
