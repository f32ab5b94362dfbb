// The life of network_server: open the log, listen, get ready, serve until asked to stop, and end what is in flight.
import { mkdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname } from 'node:path'
import { exposureOf } from '../config/exposure.ts'
import { messageOf, NetopsError } from '../model/errors.ts'
import { leastFreeDisk } from '../model/free-disk.ts'
import { hostPaths } from '../model/paths.ts'
import { threadsFor } from '../model/scale.ts'
import type { ServerConfig } from '../model/server-config.ts'
import { bodyBudget } from './bodies.ts'
import {
  checkDatabase,
  checkDisk,
  checkNetwork,
  judgeMemory,
  readMemory,
  type HeapReading,
  type WrittenFolder,
} from './checks.ts'
import { drainLimits, type DrainLimits } from './connections.ts'
import type { Credentials } from './credentials.ts'
import { createHealth, type Health, type OwnHealth } from './health.ts'
import { addressOf, checkFree, listen, show } from './listening.ts'
import { openLogs, type LogHub } from './logs/hub.ts'
import type { Logger } from './logs/logger.ts'
import { logTargets, type LogTarget } from './logs/targets.ts'
import { createCollector, figuresOf } from './metrics/collector.ts'
import { createMetricsServer } from './metrics/server.ts'
import { createProcessMetrics } from './metrics/process.ts'
import { processSources } from './metrics/sources.ts'
import { startOperations } from './operate/operations.ts'
import { dealOut, passedSockets } from './passed-sockets.ts'
import { createReloader, type Loaded } from './reload.ts'
import type { Store } from './store/port.ts'
import { commitMemory } from './store/sqlite/commits.ts'
import { startGroup, type Group } from './threads/group.ts'
import type { ListenAt, Listening, ServingData } from './threads/messages.ts'
import { heapLimitOf } from './threads/heap.ts'
import { createSharedMemory, openShared, type Shared, type SharedMemory } from './threads/shared.ts'
import { startThread } from './threads/start.ts'
import { startStoreThread, type StoreThread } from './threads/store.ts'

export interface ServiceOptions {
  readonly config: ServerConfig
  readonly credentials: Credentials
  /** The configuration's file for the log, or what stands in for it. */
  readonly source: string
  /** What the configuration asks for and this release does not do. */
  readonly notes: readonly string[]
  /** What of it is better otherwise. */
  readonly warnings: readonly string[]
  /** Reads the configuration again. */
  readonly reread: () => Promise<Loaded>
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

/** What may be asked for before anybody answers; then it is answered as soon as somebody does. */
interface OnceThere {
  readonly call: () => void
  readonly answer: (how: () => void) => void
}

function onceThere(): OnceThere {
  let early = false
  let how = (): void => void (early = true)
  return {
    call: () => how(),
    answer(next) {
      how = next
      if (early) next()
    },
  }
}

// Until the service is ready for the first time, its checks run this often without being asked.
const startCheckMs = 500

/**
 * Runs the service to its end.
 * @returns the exit code: 0 stopped as asked, 1 failed
 * @throws NetopsError `failed` when a log file cannot be opened
 */
export async function runService(options: ServiceOptions, controls: ServiceControls): Promise<number> {
  const targets = logTargets(options.config, options.root)
  const logs = openLogs(targets, options.release)
  const { logger } = logs
  controls.onWarning((warning) => logger.warn({ err: warning }, 'a warning of the runtime'))
  const hangUp = onceThere()
  controls.onIgnored((signal) => {
    if (signal === 'SIGHUP') hangUp.call()
    // As logrotate sends it.
    else if (signal === 'SIGUSR1') {
      logs.reopen()
      logger.info({ signal }, 'the log files are opened anew')
    } else {
      logger.warn(
        { signal },
        `${signal} is ignored: SIGHUP reads the configuration again, and SIGTERM stops the service`,
      )
    }
  })
  logger.info(
    { version: options.version, commit: options.commit, config: options.source, pid: process.pid },
    'starting',
  )
  for (const note of options.notes) logger.warn({ note }, `not in effect: ${note}`)
  for (const note of [...options.warnings, ...options.credentials.notes]) logger.warn({ note }, note)
  try {
    return await serve(options, controls, { logs, targets, hangUp })
  } catch (error) {
    logger.fatal(error instanceof NetopsError ? {} : { err: error }, messageOf(error))
    // With a log in files only, whoever starts the service would see nothing at all.
    if (!logs.hasConsole) process.stderr.write(`network_server: ${messageOf(error)}\n`)
    return 1
  } finally {
    await logs.close()
  }
}

interface Log {
  readonly logs: LogHub
  readonly targets: readonly LogTarget[]
  /** SIGHUP. */
  readonly hangUp: OnceThere
}

async function serve(
  options: ServiceOptions,
  controls: ServiceControls,
  { logs, targets, hangUp }: Log,
): Promise<number> {
  const { config, version, release } = options
  const { logger } = logs
  const { dataDir } = hostPaths(options.root)
  const wanted = config.server.worker_threads
  const threads = wanted === 'auto' ? threadsFor(availableParallelism()) : wanted
  const memory = createSharedMemory(threads)
  const shared = openShared(memory)
  const logDirs = targets.flatMap((target) => (target.kind === 'file' && target.needed ? [dirname(target.path)] : []))
  const folders: readonly WrittenFolder[] = [
    { path: dataDir, place: 'data' },
    ...[...new Set(logDirs)].map((path) => ({ path, place: 'log' })),
  ]
  let listening: readonly Listening[] = []
  const plan = await listenPlan(config, threads, logger)
  makeDataDir(dataDir, logger)
  const reloader = createReloader({
    started: options,
    read: options.reread,
    setLevels: (next) => logs.setLevels(logTargets(next, options.root)),
    apply: (now) => group.reload(now),
    log: logger,
  })
  const operations = await startOperations({
    ...{ root: options.root, config: () => reloader.current().config, release, version, shared, memory, log: logger },
    reload: () => reloader.reload(),
  })
  const commits = commitMemory()
  const store = startStoreThread({ config, dataDir, commits, root: options.root, release, logs })
  const health = createServiceHealth({ store: store.client, folders, shared, listening: () => listening, logger })
  const group = startGroup({
    start: (data) => startThread(data, [data.store]),
    threads: servingData(options, { listen: plan, memory, commits, store, wantedLogs: logs.wanted }),
    logs,
    health,
  })
  const ownMetrics = createProcessMetrics(
    processSources(options, {
      inEffect: reloader.current,
      shared,
      group,
      health,
      logs,
      folders,
      operations,
      store: store.client,
    }),
  )
  const metricsServer = createMetricsServer(
    createCollector(ownMetrics, figuresOf(group.metrics, store.client.figures)),
    config,
  )
  try {
    await listen(metricsServer, config.metrics, 'alone', 'metrics.host, metrics.port')
    metricsServer.on('error', (error) => logger.error({ err: error }, `cannot accept connections: ${error.message}`))
    listening = await group.listening
    hangUp.answer(() => {
      // What is wrong with it is in the log.
      reloader.reload().catch(() => undefined)
    })
    const { host, port } = config.metrics
    // A name says nothing of its address before it is listened on.
    const found = exposureOf(addressOf(metricsServer)?.address ?? host, port)
    for (const note of found) if (!options.warnings.includes(note)) logger.warn({ note }, note)
    const addressFor = (what: Listening['speaks']) => listening.find(({ speaks }) => speaks === what)
    const address = show(addressFor('http'))
    const overTls = options.credentials.tls === undefined ? {} : { tls: show(addressFor('tls')) }
    logger.info({ address, ...overTls, metrics: show(addressOf(metricsServer)), threads }, 'listening')
    const ready = whenReady(health, () => shared.phase() === 'starting').then((isReady) => {
      if (!isReady) return
      shared.setPhase('serving')
      logger.info({ address }, 'ready')
    })
    const end = await Promise.race([
      controls.stopped.then((signal) => ({ signal })),
      controls.crashed.then((thrown) => ({ thrown })),
      Promise.race([group.died, store.died]).then((why) => ({ why })),
      // A failure while getting ready ends the wait; getting ready does not.
      ready.then(() => new Promise<never>(() => undefined)),
    ])
    shared.setPhase('stopping')
    if ('thrown' in end) throw end.thrown
    if ('why' in end) {
      // What the others are at comes to its end; connections that wait for the dead one would hang as long as the process.
      await group.drain(drainAfterDeath)
      throw end.why
    }
    await stop(end.signal, { group, shared, crashed: controls.crashed, logger })
    return 0
  } finally {
    metricsServer.close()
    metricsServer.closeAllConnections()
    await group.end()
    await store.end()
    await operations.close()
  }
}

// Enough for what is being answered; not for bodies that are still arriving.
const drainAfterDeath: DrainLimits = { lingerMs: 500, drainMs: 5000 }

interface ServingParts {
  /** For each thread, where it listens. */
  readonly listen: readonly (readonly ListenAt[])[]
  readonly memory: SharedMemory
  readonly commits: SharedArrayBuffer
  readonly store: StoreThread
  readonly wantedLogs: SharedArrayBuffer
}

function servingData(
  options: ServiceOptions,
  { listen: plan, memory, commits, store, wantedLogs }: ServingParts,
): readonly ServingData[] {
  const { config, credentials, version, commit, release } = options
  const { residentLimit } = readMemory()
  const mostBodies = bodyBudget(residentLimit, config.performance.max_request_size)
  return plan.map((at, index) => ({
    ...{ kind: 'serving', index, config, listen: at, shared: memory, wantedLogs, mostBodies, version, commit, release },
    commits,
    // Like bodies, an answer is there twice for a while.
    mostAnswers: bodyBudget(residentLimit, 0),
    tls: credentials.tls,
    tokenKey: credentials.tokenKey,
    dataDir: hostPaths(options.root).dataDir,
    store: store.connect(),
  }))
}

/**
 * Where each thread listens: on sockets that were passed to the process, or else on its own beside those of the others.
 * @throws NetopsError `failed` where an address is not free
 */
async function listenPlan(
  { server, security }: ServerConfig,
  threads: number,
  logger: Logger,
): Promise<readonly (readonly ListenAt[])[]> {
  const passed = passedSockets()
  const wanted = [
    { speaks: 'http' as const, port: server.port, keys: 'server.host, server.port' },
    ...(security.ssl_enabled
      ? [{ speaks: 'tls' as const, port: server.tls_port, keys: 'server.host, server.tls_port' }]
      : []),
  ]
  for (const [port, descriptors] of passed) {
    if (wanted.some((one) => one.port === port)) continue
    logger.warn({ port, sockets: descriptors.length }, `nobody serves port ${port}, for which sockets were passed`)
  }
  const perThread = Array.from({ length: threads }, (): ListenAt[] => [])
  for (const { speaks, port, keys } of wanted) {
    const descriptors = passed.get(port)
    const at = { speaks, host: server.host, port }
    if (descriptors === undefined) {
      if (threads > 1) await checkFree(at, keys)
      for (const thread of perThread) thread.push({ ...at, descriptors: [], idle: false })
      continue
    }
    if (descriptors.length < threads) {
      const note = `${descriptors.length} sockets were passed for port ${port}, and ${threads} threads could serve it`
      logger.warn({ port }, note)
    }
    dealOut(descriptors, threads).forEach((own, index) =>
      perThread[index]?.push({ ...at, descriptors: own, idle: own.length === 0 }),
    )
  }
  return perThread
}

interface HealthParts {
  readonly store: Pick<Store, 'verify'>
  readonly folders: readonly WrittenFolder[]
  readonly shared: Shared
  readonly listening: () => readonly Listening[]
  readonly logger: Logger
}

/** Of the serving threads. */
const heapsOf = (shared: Shared, limit: number): readonly HeapReading[] =>
  Array.from({ length: shared.threads }, (_, thread) => ({ used: shared.heapOf(thread), limit }))

const createServiceHealth = ({ store, folders, shared, listening, logger }: HealthParts): OwnHealth => {
  const heapLimit = heapLimitOf(readMemory().residentLimit)
  return createHealth({
    checks: {
      database: () => checkDatabase(store),
      memory: () => Promise.resolve(judgeMemory(readMemory(heapsOf(shared, heapLimit)))),
      disk: () => checkDisk(folders, leastFreeDisk),
      network: () => checkNetwork(listening()),
    },
    now: () => performance.now(),
    onChange: (check, verdict) => {
      if (verdict === undefined) logger.info({ check }, `check ${check} is good again`)
      else logger.error({ check, reason: verdict.detail }, `check ${check} failed: ${verdict.detail}`)
    },
  })
}

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
  readonly group: Group
  readonly shared: Shared
  readonly crashed: Promise<unknown>
  readonly logger: Logger
}

async function stop(signal: string, { group, shared, crashed, logger }: StopParts): Promise<void> {
  logger.info({ signal, connections: shared.open(), requests: shared.requests() }, 'stopping')
  const failed = crashed.then((thrown): never => {
    throw thrown
  })
  const died = group.died.then((why): never => {
    throw why
  })
  const cut = await Promise.race([group.drain(drainLimits), failed, died])
  if (cut > 0) logger.warn({ requests: cut }, `${cut} requests did not end in time and were cut off`)
  logger.info('stopped')
}
