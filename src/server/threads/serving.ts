// A thread that serves: its own application on its own sockets, within limits that all threads share.
import type { Server } from 'node:http'
import { createServer, type Server as NetServer } from 'node:net'
import { Server as TlsServer } from 'node:tls'
import { getHeapStatistics } from 'node:v8'
import type { MessagePort } from 'node:worker_threads'
import { messageOf } from '../../model/errors.ts'
import { createApp } from '../app.ts'
import { sharedBudget } from '../bodies.ts'
import { trackConnections, type RequestEnd } from '../connections.ts'
import { freshMs } from '../health.ts'
import { addressOf, listen, listenOnPassed } from '../listening.ts'
import type { ThreadLog } from '../logs/thread.ts'
import { createThreadMetrics, type ThreadMetrics } from '../metrics/thread.ts'
import { createPlaces, type Places } from '../places.ts'
import { answerBudget } from '../records/large-answers.ts'
import { requestIdOf } from '../request-id.ts'
import type { InEffect } from '../reload.ts'
import { standingIn } from '../standing/standing.ts'
import { writesByRole } from '../standing/writes.ts'
import { createTokenCheck, type TokenCheck } from '../tokens.ts'
import { connectStore } from '../store/connect.ts'
import { askedHealth } from './asked-health.ts'
import { threadCrowd } from './crowd.ts'
import type { FromThread, ListenAt, Listening, ServingData, ToThread } from './messages.ts'
import { openShared, type Shared } from './shared.ts'
import { threadLog, type EventLog } from './thread-log.ts'

/** Serves until the process ends. */
export async function serveInThread(data: ServingData, main: MessagePort): Promise<void> {
  const { config, version, release } = data
  const tell = (message: FromThread): void => main.postMessage(message)
  const logs = threadLog(data, tell)
  const log = logs.logger
  warnThrough(log)
  const shared = openShared(data.shared)
  const health = askedHealth(
    (id) => tell({ kind: 'ask-health', id }),
    () => performance.now(),
  )
  const metrics = createThreadMetrics(String(data.index))
  // As often as health is looked at.
  setInterval(() => shared.setHeap(data.index, getHeapStatistics().used_heap_size), freshMs).unref()
  const places = threadPlaces(data, { shared, metrics, log, tell })
  const tokens = await replaceableCheck(data)
  const standing = standingIn(shared, data.shared.primary)
  const { plain, tls } = await createApp({
    ...{ config, health, places, version, release, logger: log, tls: data.tls },
    bodies: sharedBudget(shared, data.mostBodies),
    answers: answerBudget(shared, data.mostAnswers),
    store: writesByRole(connectStore(data), { standing, shared }),
    tokens: tokens.check,
    ...{ standing, activity: shared },
    onBroken: metrics.outcomes.broken,
  })
  const servers = tls === undefined ? [plain] : [plain, tls]
  const beside: NetServer[] = []
  const connections = trackConnections(servers, {
    places,
    beside,
    stalledMs: config.performance.request_timeout_ms,
    onInFlight: (count) => shared.setRequests(data.index, count),
    onRequestEnd: recordEnds(metrics, logs),
  })
  main.on('message', (message: ToThread) => {
    switch (message.kind) {
      case 'drain':
        void connections.drain(message).then((cut) => {
          logs.flush()
          tell({ kind: 'drained', cut })
        })
        break
      case 'reload':
        takeOver(message.now, { servers, places, tokens }).catch((error: unknown) =>
          log.error({ err: error }, `a part of the configuration is not in effect: ${messageOf(error)}`),
        )
        break
      case 'give-way':
        places.giveWay()
        break
      case 'metrics':
        void metrics.registry.getMetricsAsJSON().then((values) => tell({ kind: 'metrics', id: message.id, values }))
        break
      case 'health':
        health.onAnswer(message.id, message.status, message.ageMs)
        break
    }
  })
  try {
    for (const at of data.listen) {
      const server = at.speaks === 'tls' ? tls : plain
      if (server !== undefined) beside.push(...(await open(server, at, shared.threads)))
    }
  } catch (error) {
    tell({ kind: 'failed', message: messageOf(error) })
    return
  }
  for (const server of [...servers, ...beside]) {
    // Out of descriptors, for one: those who wait are accepted once there are some again.
    server.on('error', (error) => log.error({ err: error }, `cannot accept connections: ${error.message}`))
  }
  tell({ kind: 'listening', addresses: servers.flatMap((server) => addressesOf(server, server === tls)) })
}

/** Counts requests that have ended, and has a line of the access log for each where that is wanted. */
const recordEnds =
  (metrics: ThreadMetrics, { logsAccess, access }: ThreadLog) =>
  ({ request, response, seconds, bytes, client }: RequestEnd): void => {
    const status = response.headersSent ? response.statusCode : 0
    const whole = response.writableFinished
    metrics.requestEnded(seconds, request, { status, whole })
    if (!logsAccess()) return
    const { method = '', url = '' } = request
    const durationMs = seconds * 1000
    const requestId = requestIdOf(request)
    access({ requestId, client, method, url, status: status || null, bytes, durationMs, aborted: !whole })
  }

// As Node opens the sockets of its HTTP servers.
const likeHttp = { allowHalfOpen: true, noDelay: true }

/**
 * Has a server accept where it is to.
 * @returns sockets beside its own, which hand it their connections
 */
async function open(server: NetServer, at: ListenAt, threads: number): Promise<readonly NetServer[]> {
  if (at.idle) return []
  const keys = at.speaks === 'tls' ? 'server.host, server.tls_port' : 'server.host, server.port'
  const [own, ...others] = at.descriptors
  if (own === undefined) {
    await listen(server, at, threads > 1 ? 'among threads' : 'alone', keys)
    return []
  }
  await listenOnPassed(server, own, at, keys)
  const beside: NetServer[] = []
  for (const descriptor of others) {
    const socket = createServer(likeHttp, (connection) => server.emit('connection', connection))
    await listenOnPassed(socket, descriptor, at, keys)
    beside.push(socket)
  }
  return beside
}

const addressesOf = (server: NetServer, overTls: boolean): readonly Listening[] => {
  const address = addressOf(server)
  return address === null ? [] : [{ ...address, speaks: overTls ? 'tls' : 'http' }]
}

interface Replaceable {
  readonly servers: readonly Server[]
  readonly places: Places
  readonly tokens: ReplaceableCheck
}

/** Of connections that are open, only what is looked at anew for each request or when they come to rest changes. */
async function takeOver(now: InEffect, { servers, places, tokens }: Replaceable): Promise<void> {
  const { server, performance: limits } = now.config
  places.setMost(server.max_connections)
  for (const one of servers) {
    one.keepAliveTimeout = limits.keep_alive_timeout_ms
    if (one instanceof TlsServer && now.tls !== undefined) one.setSecureContext(now.tls)
  }
  await tokens.replace(now)
}

/** A check whose key may be another one from one request to the next. */
interface ReplaceableCheck {
  readonly check: TokenCheck | undefined
  readonly replace: (now: Pick<InEffect, 'config' | 'tokenKey'>) => Promise<void>
}

async function replaceableCheck(data: Pick<ServingData, 'config' | 'tokenKey'>): Promise<ReplaceableCheck> {
  let check = await tokenCheckFor(data)
  if (check === undefined) return { check, replace: () => Promise.resolve() }
  return {
    check: (authorization) => check?.(authorization),
    replace: async (now) => {
      check = (await tokenCheckFor(now)) ?? check
    },
  }
}

async function tokenCheckFor({
  config,
  tokenKey,
}: Pick<ServingData, 'config' | 'tokenKey'>): Promise<TokenCheck | undefined> {
  const { auth, security } = config
  if (security.auth === 'none') return undefined
  // Without a key no token is good, and nothing may be served as if none were asked for.
  if (tokenKey === undefined) return () => undefined
  return createTokenCheck({ key: tokenKey, issuer: auth.issuer, now: () => new Date() })
}

/** Node's own listener writes to standard error, between lines of JSON. */
function warnThrough(log: EventLog): void {
  process.removeAllListeners('warning')
  process.on('warning', (warning) => {
    if (warning.name !== 'ExperimentalWarning') log.warn({ err: warning }, 'a warning of the runtime')
  })
}

interface PlaceParts {
  readonly shared: Shared
  readonly metrics: ThreadMetrics
  readonly log: EventLog
  readonly tell: (message: FromThread) => void
}

// Balancers and deployments ask for health once a second each, and have their answers within milliseconds.
const placesForHealth = 16

// Under a flood each refused connection would be a line of its own.
const refusalLogMs = 10_000

function threadPlaces({ index, config }: ServingData, { shared, metrics, log, tell }: PlaceParts): Places {
  let reportedAt = -Infinity
  return createPlaces({
    most: config.server.max_connections,
    reserved: placesForHealth,
    crowd: threadCrowd(shared, index, (of) => tell({ kind: 'make-room', of })),
    onGivenUp: metrics.connectionGivenUp,
    onRefused: () => {
      metrics.connectionRefused()
      if (performance.now() - reportedAt < refusalLogMs) return
      reportedAt = performance.now()
      log.warn(
        { max_connections: config.server.max_connections },
        'connections are refused: server.max_connections are open',
      )
    },
  })
}
