// The HTTP interface, plain and over TLS: health for balancers and deployments, and problems for everything else.
import { createServer, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { SecureContextOptions } from 'node:tls'
import { fastify, type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { ServerConfig } from '../model/server-config.ts'
import { BodyRefusal, boundBodies, closeIfBodyIsMissing, refusalOfLength, type Budget } from './bodies.ts'
import { guard, tryAgain, type Handler } from './guard.ts'
import type { Health, HealthStatus } from './health.ts'
import { limitsOf, prepared } from './http-server.ts'
import type { Places } from './places.ts'
import { problemBody, problemType, sendProblem } from './problem.ts'
import { answersAtOnce } from './records/at-once.ts'
import type { AnswerBudget } from './records/large-answers.ts'
import { addRecordRoutes } from './records/routes.ts'
import { jsonType } from './records/values.ts'
import { requestIdHeader, requestIdOf } from './request-id.ts'
import { methodsAt } from './resources.ts'
import type { Store } from './store/port.ts'
import type { Standing } from './standing/standing.ts'
import type { Shared } from './threads/shared.ts'
import type { EventLog } from './threads/thread-log.ts'
import type { TokenCheck } from './tokens.ts'

/** What `/health/ready` says of the process. */
type Activity = Pick<Shared, 'phase' | 'requests' | 'open'>

export interface AppOptions {
  readonly config: ServerConfig
  /** What the TLS port speaks; undefined where there is none. */
  readonly tls: SecureContextOptions | undefined
  /** Undefined where requests need no token. */
  readonly tokens: TokenCheck | undefined
  readonly health: Health
  readonly store: Store
  /** The connections of both servers. */
  readonly places: Places
  /** What the bodies of all requests may hold in memory. */
  readonly bodies: Budget
  /** What large answers may. */
  readonly answers: AnswerBudget
  readonly standing: Standing
  /** What the whole process is at. */
  readonly activity: Activity
  /** Told with which status a request was answered that could not be read. */
  readonly onBroken?: (status: number) => void
  readonly version: string
  readonly release: string
  readonly logger: Pick<EventLog, 'error'>
}

export interface App {
  readonly plain: Server
  /** The same over TLS; undefined where that is not enabled. */
  readonly tls: Server | undefined
}

// Node takes no more of a request's head than this (its maxHeaderSize).
const longestPath = 16_384

/** The application with its servers, ready to listen. */
export async function createApp(options: AppOptions): Promise<App> {
  const { performance, security, server } = options.config
  const tlsPort = security.require_tls ? server.tls_port : undefined
  const guarded = (handler: Handler): Handler =>
    guard({ places: options.places, tlsPort, tokens: options.tokens, standing: options.standing }, handler)
  const answersNow = answersAtOnce(options)
  const quick =
    (handler: Handler): Handler =>
    (request, response) => {
      if (!answersNow(request, response)) handler(request, response)
    }
  const limits = limitsOf(options.config)
  const app = fastify({
    bodyLimit: performance.max_request_size,
    genReqId: requestIdOf,
    // The names in paths have bounds of their own, and their own words where they are longer.
    routerOptions: { maxParamLength: longestPath },
    serverFactory: (handler) => prepared(createServer(limits, guarded(quick(handler))), options.onBroken),
    frameworkErrors: (error, _request, reply) => sendProblem(reply.raw, error.statusCode ?? 400, error.message),
  })
  boundBodies(app, options.bodies)
  addHealthRoutes(app, options)
  addRecordRoutes(app, options)
  addDocument(app, options)
  addProblems(app, options.logger)
  const tls =
    options.tls === undefined
      ? undefined
      : prepared(
          createTlsServer(
            { ...options.tls, ...limits, handshakeTimeout: performance.request_timeout_ms },
            guarded(quick((request, response) => app.routing(request, response))),
          ),
          options.onBroken,
        )
  await app.ready()
  return { plain: app.server, tls }
}

function addHealthRoutes(app: FastifyInstance, options: AppOptions): void {
  const { health, release, version } = options
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
    const reason = whyNotReady(options, checks)
    return reply
      .code(reason === undefined ? 200 : 503)
      .header('cache-control', 'no-store')
      .header('x-release', release)
      .send({
        ready: reason === undefined,
        ...(reason === undefined ? {} : { reason }),
        ...{ release, version, role: options.standing.role().kind },
        // This one is not what a drain waits for.
        active_requests: Math.max(0, options.activity.requests() - 1),
        active_connections: options.activity.open(),
      })
  })
}

/** The description of the API; made when it is first asked for. */
function addDocument(app: FastifyInstance, { config, tokens, version }: AppOptions): void {
  let text: string | undefined
  app.get('/openapi.json', async (_request, reply) => {
    const { openApiOf } = await import('./openapi.ts')
    text ??= JSON.stringify(
      openApiOf({ version, tokens: tokens !== undefined, maxRequestSize: config.performance.max_request_size }),
    )
    return reply.header('content-type', jsonType).send(text)
  })
}

/** Why this instance should get no traffic; undefined where it should. */
function whyNotReady({ activity, standing }: AppOptions, checks: HealthStatus['checks']): string | undefined {
  const phase = activity.phase()
  if (phase === 'stopping') return phase
  if (standing.maintenance()) return 'maintenance'
  if (!checks.database) return 'database'
  return phase === 'serving' ? undefined : phase
}

/** Answers for what is not served and for what fails, also in routes that are added later. */
export function addProblems(app: FastifyInstance, logger: Pick<EventLog, 'error'>): void {
  // Whoever adds a route that takes bodies says how they are read; here they are left as they come.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  app.addHook('onRequest', (request, reply, done) => {
    reply.header(requestIdHeader, request.id)
    // Before its body, which nobody would ever want.
    const refusal = request.is404 ? refusalOfLength(request) : undefined
    if (request.is404 && refusal === undefined) answerUnknown(request, reply)
    else done(refusal)
  })
  app.setNotFoundHandler(answerUnknown)
  app.setErrorHandler((error: FastifyError, request, reply) => {
    closeIfBodyIsMissing(reply.raw)
    if (error instanceof BodyRefusal) {
      if (error.statusCode === 503) reply.headers(tryAgain)
      return reply
        .code(error.statusCode)
        .type(problemType)
        .send(problemBody(error.statusCode, error.message, request.id))
    }
    const status = error.statusCode ?? 500
    if (status >= 500)
      logger.error({ err: error, method: request.method, path: pathOf(request.url) }, 'a request failed')
    // What went wrong inside is for the log, not for the client.
    const detail = status >= 500 ? 'the request failed inside the server' : error.message
    return reply
      .code(status)
      .type(problemType)
      .send(problemBody(status, detail, request.id))
  })
}

function answerUnknown(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  closeIfBodyIsMissing(reply.raw)
  const path = pathOf(request.url)
  const allow = methodsAt(path)
  if (allow !== undefined) reply.header('allow', allow)
  const status = allow === undefined ? 404 : 405
  return reply
    .code(status)
    .type(problemType)
    .send(problemBody(status, `nothing is served at ${request.method} ${path}`, request.id))
}

/** An address without its query, which may hold secrets of clients. */
const pathOf = (url: string): string => url.split('?')[0] ?? ''
