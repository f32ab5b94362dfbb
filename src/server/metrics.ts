// Prometheus metrics with the guide's names, served on an address of their own (guide: Prometheus Integration, Firewall Rules).
import { createServer, type Server } from 'node:http'
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { ServerConfig } from '../model/server-config.ts'
import { closeIfBodyIsMissing } from './bodies.ts'
import { trackConnections } from './connections.ts'
import { brokenBy } from './guard.ts'
import { limitsOf, prepared } from './http-server.ts'
import { createPlaces } from './places.ts'
import { sendProblem } from './problem.ts'

export interface Metrics {
  readonly registry: Registry
  readonly requests: Counter
  readonly responseTime: Histogram
  readonly refusedConnections: Counter
  readonly givenUpConnections: Counter
}

export interface MetricsOptions {
  readonly activeConnections: () => number
  readonly version: string
  readonly commit: string
  readonly release: string
}

// From a health probe (well below a millisecond) to the guide's request timeout of 30 s.
const responseTimeBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

export function createMetrics({ activeConnections, version, commit, release }: MetricsOptions): Metrics {
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
  const requests = new Counter({ name: 'network_requests_total', help: 'Total request count', registers })
  const responseTime = new Histogram({
    name: 'network_response_time_seconds',
    help: 'Response time histogram',
    buckets: responseTimeBuckets,
    registers,
  })
  const refusedConnections = new Counter({
    name: 'network_connections_refused_total',
    help: 'Connections and requests turned away because server.max_connections were open and at work',
    registers,
  })
  const givenUpConnections = new Counter({
    name: 'network_connections_given_up_total',
    help: 'Connections without a request that were closed to make room for others',
    registers,
  })
  new Gauge({
    name: 'network_build_info',
    help: 'Always 1; the labels say what is running',
    labelNames: ['version', 'commit', 'release'],
    registers,
  }).set({ version, commit, release }, 1)
  collectDefaultMetrics({ register: registry })
  return { registry, requests, responseTime, refusedConnections, givenUpConnections }
}

// Scrapers ask every few seconds and in turn; whoever holds more connections than this does something else. One more,
// and that which has been silent for longest makes room.
const mostScrapers = 50

/** A server, not yet listening, that answers GET /metrics and nothing else. */
export function createMetricsServer(registry: Registry, config: Pick<ServerConfig, 'performance'>): Server {
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
      registry.metrics().then(
        (text) => {
          closeIfBodyIsMissing(response)
          response.writeHead(200, { 'content-type': registry.contentType, 'content-length': Buffer.byteLength(text) })
          response.end(text)
        },
        () => sendProblem(response, 500, 'the metrics could not be collected'),
      )
    }),
  )
  const nobody = () => undefined
  trackConnections([server], {
    places: createPlaces({ most: mostScrapers, reserved: 0, onGivenUp: nobody, onRefused: nobody }),
    stalledMs: config.performance.request_timeout_ms,
    onRequestEnd: nobody,
  })
  return server
}
