// The life of network_server: open the log, listen, get ready, serve until asked to stop, and end what is in flight.
import { mkdirSync } from 'node:fs'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname } from 'node:path'
import { exposureOf } from '../config/exposure.ts'
import { messageOf, NetopsError, systemCode } from '../model/errors.ts'
import { leastFreeDisk } from '../model/free-disk.ts'
import { below, hostPaths } from '../model/paths.ts'
import type { ServerConfig } from '../model/server-config.ts'
import { createApp } from './app.ts'
import { bodyBudget, createBudget } from './bodies.ts'
import { checkDatabase, checkDisk, checkNetwork, judgeMemory, readMemory } from './checks.ts'
import { drainLimits, trackConnections, type Connections } from './connections.ts'
import type { Credentials } from './credentials.ts'
import { stateDatabase, type StateDatabase } from './database.ts'
import { createHealth, type Health } from './health.ts'
import { logTargets, openLog, type Logger, type LogTarget } from './logger.ts'
import { createMetrics, createMetricsServer, type Metrics } from './metrics.ts'
import { createPlaces, type Places } from './places.ts'
import { createTokenCheck, type TokenCheck } from './tokens.ts'

export interface ServiceOptions {
  readonly config: ServerConfig
  readonly credentials: Credentials
  /** The configuration's file for the log, or what stands in for it. */
  readonly source: string
  /** What the configuration asks for and this release does not do. */
  readonly notes: readonly string[]
  /** What of it is better otherwise. */
  readonly warnings: readonly string[]
  /** Before every absolute path: `/`, or an absolute folder. */
  readonly root: string
  readonly version: string
  readonly commit: string
  readonly release: string
}

/** Events of the process that the service answers to; main.ts connects them. */
export interface ServiceControls {
  /** Resolves with the signal's name at the first request to stop. */
  readonly stopped: Promise<string>
  /** Resolves with what was thrown when something was thrown that nobody caught. */
  readonly crashed: Promise<unknown>
  /** Receives the names of signals that are ignored, once there is a log. */
  readonly onIgnored: (listener: (signal: string) => void) => void
  /** Receives warnings of the runtime, once there is a log. */
  readonly onWarning: (listener: (warning: Error) => void) => void
}

// Accepting is Node's part; how many may wait for it is the kernel's (guide: net.core.somaxconn), which cuts this to its own.
const backlog = 65_535

// Until the service is ready for the first time, its checks run this often without being asked.
const startCheckMs = 500

/**
 * Runs the service to its end.
 * @returns the exit code: 0 stopped as asked, 1 failed
 * @throws NetopsError `failed` when a log file cannot be opened
 */
export async function runService(options: ServiceOptions, controls: ServiceControls): Promise<number> {
  const targets = logTargets(options.config).map((target) => relocated(options.root, target))
  const log = openLog(targets, options.release)
  const { logger } = log
  controls.onWarning((warning) => logger.warn({ err: warning }, 'a warning of the runtime'))
  controls.onIgnored((signal) =>
    logger.warn(
      { signal },
      `${signal} is ignored: the configuration is read at a start only, and SIGTERM stops the service`,
    ),
  )
  logger.info(
    { version: options.version, commit: options.commit, config: options.source, pid: process.pid },
    'starting',
  )
  for (const note of options.notes) logger.warn({ note }, `not in effect: ${note}`)
  for (const note of [...options.warnings, ...options.credentials.notes]) logger.warn({ note }, note)
  try {
    return await serve(options, controls, { logger, targets })
  } catch (error) {
    logger.fatal(error instanceof NetopsError ? {} : { err: error }, messageOf(error))
    // With a log in files only, whoever starts the service would see nothing at all.
    if (!targets.some(({ kind }) => kind === 'console')) process.stderr.write(`network_server: ${messageOf(error)}\n`)
    return 1
  } finally {
    await log.close()
  }
}

const relocated = (root: string, target: LogTarget): LogTarget =>
  target.kind === 'file' ? { ...target, path: below(root, target.path) } : target

interface Log {
  readonly logger: Logger
  readonly targets: readonly LogTarget[]
}

async function serve(options: ServiceOptions, controls: ServiceControls, { logger, targets }: Log): Promise<number> {
  const { config, credentials, version, commit, release } = options
  const { dataDir } = hostPaths(options.root)
  const database = stateDatabase(`${dataDir}/state.db`)
  let phase: 'starting' | 'serving' | 'stopping' = 'starting'
  const logDirs = targets.flatMap((target) => (target.kind === 'file' ? [dirname(target.path)] : []))
  const folders = [...new Set([dataDir, ...logDirs])]
  const health = createServiceHealth({ database, folders, addresses: () => servers.map(addressOf), logger })
  const metrics: Metrics = createMetrics({ activeConnections: () => places.open(), version, commit, release })
  const places = servicePlaces(config, { metrics, logger })
  const { plain, tls } = await createApp({
    ...{ config, health, places, version, release, logger },
    bodies: createBudget(bodyBudget(readMemory().residentLimit, config.performance.max_request_size)),
    tls: credentials.tls,
    tokens: await tokenCheckFor(config, credentials),
    serving: () => phase === 'serving',
  })
  const servers = tls === undefined ? [plain] : [plain, tls]
  const connections = trackConnections(servers, {
    places,
    stalledMs: config.performance.request_timeout_ms,
    onRequestEnd: (seconds) => {
      metrics.requests.inc()
      metrics.responseTime.observe(seconds)
    },
  })
  makeDataDir(dataDir, logger)

  const metricsServer = createMetricsServer(metrics.registry, config)
  try {
    await listen(metricsServer, config.metrics, 'metrics.host, metrics.port')
    await listen(plain, config.server, 'server.host, server.port')
    if (tls !== undefined) {
      await listen(tls, { host: config.server.host, port: config.server.tls_port }, 'server.host, server.tls_port')
    }
    for (const one of [metricsServer, ...servers]) {
      // Out of descriptors, for one: those who wait are accepted once there are some again.
      one.on('error', (error) => logger.error({ err: error }, `cannot accept connections: ${error.message}`))
    }
    const { host, port } = config.metrics
    // A name says nothing of its address before it is listened on.
    const found = exposureOf(addressOf(metricsServer)?.address ?? host, port)
    for (const note of options.warnings.length === 0 ? found : []) logger.warn({ note }, note)
    const address = show(addressOf(plain))
    const overTls = tls === undefined ? {} : { tls: show(addressOf(tls)) }
    logger.info({ address, ...overTls, metrics: show(addressOf(metricsServer)) }, 'listening')
    const ready = whenReady(health, () => phase === 'starting').then((isReady) => {
      if (!isReady) return
      phase = 'serving'
      logger.info({ address }, 'ready')
    })
    const end = await Promise.race([
      controls.stopped.then((signal) => ({ signal })),
      controls.crashed.then((thrown) => ({ thrown })),
      // A failure while getting ready ends the wait; getting ready does not.
      ready.then(() => new Promise<never>(() => undefined)),
    ])
    phase = 'stopping'
    if ('thrown' in end) throw end.thrown
    await stop(end.signal, { connections, crashed: controls.crashed, logger })
    return 0
  } finally {
    metricsServer.close()
    metricsServer.closeAllConnections()
    database.close()
  }
}

async function tokenCheckFor({ auth }: ServerConfig, { tokenKey }: Credentials): Promise<TokenCheck | undefined> {
  if (!auth.enabled) return undefined
  // Without a key no token is good, and nothing may be served as if none were asked for.
  if (tokenKey === undefined) return () => Promise.resolve(false)
  return createTokenCheck({ key: tokenKey, issuer: auth.issuer, now: () => new Date() })
}

interface HealthParts {
  readonly database: StateDatabase
  readonly folders: readonly string[]
  readonly addresses: () => readonly (AddressInfo | null)[]
  readonly logger: Logger
}

const createServiceHealth = ({ database, folders, addresses, logger }: HealthParts): Health =>
  createHealth({
    checks: {
      database: () => Promise.resolve(checkDatabase(database)),
      memory: () => Promise.resolve(judgeMemory(readMemory())),
      disk: () => checkDisk(folders, leastFreeDisk),
      network: async () => (await Promise.all(addresses().map(checkNetwork))).find((verdict) => verdict !== undefined),
    },
    now: () => performance.now(),
    onChange: (check, verdict) => {
      if (verdict === undefined) logger.info({ check }, `check ${check} is good again`)
      else logger.error({ check, reason: verdict }, `check ${check} failed: ${verdict}`)
    },
  })

/** The checks report the same later, and until then nothing else needs the folder: the service starts, not ready. */
function makeDataDir(dataDir: string, logger: Logger): void {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o750 })
  } catch (error) {
    logger.error({ path: dataDir }, `cannot make the data folder: ${messageOf(error)}`)
  }
}

/** Waits for the database; false when the start was broken off. */
async function whenReady(health: Health, starting: () => boolean): Promise<boolean> {
  while (starting()) {
    if ((await health.read()).checks.database) return starting()
    await new Promise((resolve) => setTimeout(resolve, startCheckMs).unref())
  }
  return false
}

interface StopParts {
  readonly connections: Connections
  readonly crashed: Promise<unknown>
  readonly logger: Logger
}

async function stop(signal: string, { connections, crashed, logger }: StopParts): Promise<void> {
  logger.info({ signal, connections: connections.active(), requests: connections.requestsInFlight() }, 'stopping')
  const failed = crashed.then((thrown): never => {
    throw thrown
  })
  const cut = await Promise.race([connections.drain(drainLimits), failed])
  if (cut > 0) logger.warn({ requests: cut }, `${cut} requests did not end in time and were cut off`)
  logger.info('stopped')
}

interface PlaceParts {
  readonly metrics: Metrics
  readonly logger: Logger
}

// Balancers and deployments ask for health once a second each, and have their answers within milliseconds.
const placesForHealth = 16

// Under a flood each refused connection would be a line of its own.
const refusalLogMs = 10_000

function servicePlaces({ server }: ServerConfig, { metrics, logger }: PlaceParts): Places {
  let reportedAt = -Infinity
  return createPlaces({
    most: server.max_connections,
    reserved: placesForHealth,
    onGivenUp: () => metrics.givenUpConnections.inc(),
    onRefused: () => {
      metrics.refusedConnections.inc()
      if (performance.now() - reportedAt < refusalLogMs) return
      reportedAt = performance.now()
      logger.warn(
        { max_connections: server.max_connections },
        'connections are refused: server.max_connections are open',
      )
    },
  })
}

const listenProblems: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the address is in use by another process',
  EACCES: 'ports below 1024 need the capability CAP_NET_BIND_SERVICE',
  EADDRNOTAVAIL: 'this host has no such address',
  ENOTFOUND: 'there is no such host name',
}

/** @param keys what of the configuration says where, for the message */
function listen(server: Server, at: { readonly host: string; readonly port: number }, keys: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error) => {
      const reason = listenProblems[systemCode(error) ?? ''] ?? messageOf(error)
      const address = show({ address: at.host, port: at.port })
      const message = `cannot listen on ${address} (${keys}): ${reason}`
      reject(new NetopsError('failed', { message, cause: error }))
    }
    server.once('error', onError)
    server.listen({ host: at.host, port: at.port, backlog }, () => {
      server.removeListener('error', onError)
      resolve()
    })
  })
}

const addressOf = (server: Server): AddressInfo | null => {
  const address = server.address()
  return typeof address === 'object' ? address : null
}

const show = (at: Pick<AddressInfo, 'address' | 'port'> | null): string => {
  if (at === null) return 'nowhere'
  return at.address.includes(':') ? `[${at.address}]:${at.port}` : `${at.address}:${at.port}`
}
