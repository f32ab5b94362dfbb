// Prometheus metrics with the guide's names, served on an address of their own (guide: Prometheus Integration, Firewall Rules).
import { createServer, type Server } from 'node:http'
import { AggregatorRegistry, collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { ServerConfig } from '../model/server-config.ts'
import { closeIfBodyIsMissing } from './bodies.ts'
import { trackConnections } from './connections.ts'
import { brokenBy } from './guard.ts'
import { limitsOf, prepared } from './http-server.ts'
import { createPlaces } from './places.ts'
import { sendProblem } from './problem.ts'
import { aloneCrowd } from './threads/crowd.ts'
import type { MetricValues } from './threads/messages.ts'

/** What a serving thread counts; the main thread adds the threads' figures up. */
export interface ThreadMetrics {
  readonly registry: Registry
  readonly requests: Counter
  readonly responseTime: Histogram
  readonly refusedConnections: Counter
  readonly givenUpConnections: Counter
}

export interface ProcessMetricsOptions {
  readonly activeConnections: () => number
  /** What the serving threads count now. */
  readonly ofThreads: () => Promise<readonly MetricValues[]>
  readonly version: string
  readonly commit: string
  readonly release: string
}

/** Figures of the whole process, as Prometheus reads them. */
export interface ProcessMetrics {
  readonly contentType: string
  readonly text: () => Promise<string>
}

// From a health probe (well below a millisecond) to the guide's request timeout of 30 s.
const responseTimeBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

export function createThreadMetrics(): ThreadMetrics {
  const registry = new Registry()
  const registers = [registry]
  return {
    registry,
    requests: new Counter({ name: 'network_requests_total', help: 'Total request count', registers }),
    responseTime: new Histogram({
      name: 'network_response_time_seconds',
      help: 'Response time histogram',
      buckets: responseTimeBuckets,
      registers,
    }),
    refusedConnections: new Counter({
      name: 'network_connections_refused_total',
      help: 'Connections and requests turned away because server.max_connections were open and at work',
      registers,
    }),
    givenUpConnections: new Counter({
      name: 'network_connections_given_up_total',
      help: 'Connections without a request that were closed to make room for others',
      registers,
    }),
  }
}

export function createProcessMetrics(options: ProcessMetricsOptions): ProcessMetrics {
  const { activeConnections, ofThreads, version, commit, release } = options
  const registry = new Registry()
  const registers = [registry]
  new Gauge({
    name: 'network_connections_active',
    help: 'Active connection count',
    registers,
    collect() {
      this.set(activeConnections())
    },
  })
  new Gauge({
    name: 'network_build_info',
    help: 'Always 1; the labels say what is running',
    labelNames: ['version', 'commit', 'release'],
    registers,
  }).set({ version, commit, release }, 1)
  collectDefaultMetrics({ register: registry })
  return {
    contentType: registry.contentType,
    async text() {
      const [own, ...threads] = await Promise.all([registry.getMetricsAsJSON(), ofThreads()]).then(
        ([process, others]) => [process, ...others],
      )
      return AggregatorRegistry.aggregate([own, ...threads] as object[]).metrics()
    },
  }
}

// Scrapers ask every few seconds and in turn; whoever holds more connections than this does something else. One more,
// and that which has been silent for longest makes room.
const mostScrapers = 50

/** A server, not yet listening, that answers GET /metrics and nothing else. */
export function createMetricsServer(metrics: ProcessMetrics, config: Pick<ServerConfig, 'performance'>): Server {
  const server = prepared(
    createServer(limitsOf(config), (request, response) => {
      if (request.socket.destroyed) return
      const broken = brokenBy(request)
      if (broken !== undefined) {
        sendProblem(response, ...broken)
        return
      }
      const path = request.url?.split('?')[0]
      if (path !== '/metrics' || (request.method !== 'GET' && request.method !== 'HEAD')) {
        sendProblem(response, 404, 'only GET /metrics is served here')
        return
      }
      metrics.text().then(
        (text) => {
          closeIfBodyIsMissing(response)
          response.writeHead(200, { 'content-type': metrics.contentType, 'content-length': Buffer.byteLength(text) })
          response.end(text)
        },
        () => sendProblem(response, 500, 'the metrics could not be collected'),
      )
    }),
  )
  const nobody = () => undefined
  trackConnections([server], {
    places: createPlaces({
      most: mostScrapers,
      reserved: 0,
      crowd: aloneCrowd(),
      onGivenUp: nobody,
      onRefused: nobody,
    }),
    stalledMs: config.performance.request_timeout_ms,
    onRequestEnd: nobody,
  })
  return server
}
