// The HTTP interface on the main port: health for balancers and deployments, and problems for everything else.
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { fastify, type FastifyError, type FastifyInstance } from 'fastify'
import { systemCode } from '../model/errors.ts'
import type { ServerConfig } from '../model/server-config.ts'
import type { Health } from './health.ts'
import type { Logger } from './logger.ts'
import { problemBody, problemType, rawProblem, sendProblem } from './problem.ts'

export interface AppOptions {
  readonly config: ServerConfig
  readonly health: Health
  /** Whether this instance is past its start and not yet stopping. */
  readonly serving: () => boolean
  readonly version: string
  readonly release: string
  readonly logger: Logger
}

// How often Node looks for requests over their time; with its own 30 s a limit of 5 s could take 35.
const timeoutCheckMs = 1000

/**
 * The application with its server, ready to listen.
 *
 * A connection beyond `server.max_connections` is accepted by the kernel and closed at once by Node: its client sees an
 * end of stream or a reset before any answer.
 */
export async function createApp(options: AppOptions): Promise<{ readonly server: Server }> {
  const { performance: limits, server: network } = options.config
  const app = fastify({
    bodyLimit: limits.max_request_size,
    serverFactory: (handler) => {
      const server = createServer(
        {
          keepAliveTimeout: limits.keep_alive_timeout_ms,
          requestTimeout: limits.request_timeout_ms,
          headersTimeout: limits.request_timeout_ms,
          connectionsCheckingInterval: Math.min(timeoutCheckMs, limits.request_timeout_ms),
        },
        handler,
      )
      server.maxConnections = network.max_connections
      server.on('clientError', answerBrokenRequest)
      return server
    },
    frameworkErrors: (error, _request, reply) => sendProblem(reply.raw, error.statusCode ?? 400, error.message),
  })
  addHealthRoutes(app, options)
  addProblems(app, options.logger)
  await app.ready()
  return { server: app.server }
}

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
      .send(problemBody(404, `nothing is served at ${request.method} ${request.url.split('?')[0] ?? ''}`)),
  )
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const status = error.statusCode ?? 500
    if (status >= 500) logger.error({ err: error, method: request.method, url: request.url }, 'a request failed')
    // What went wrong inside is for the log, not for the client.
    const detail = status >= 500 ? 'the request failed inside the server' : error.message
    return reply.code(status).type(problemType).send(problemBody(status, detail))
  })
}

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
