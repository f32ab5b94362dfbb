// Prometheus metrics with the guide's names, served on an address of their own (guide: Prometheus Integration, Firewall Rules).
import { createServer, type Server } from 'node:http'
import type { ServerConfig } from '../../model/server-config.ts'
import { closeIfBodyIsMissing } from '../bodies.ts'
import { trackConnections } from '../connections.ts'
import { brokenBy } from '../guard.ts'
import { limitsOf, prepared } from '../http-server.ts'
import { createPlaces } from '../places.ts'
import { sendProblem } from '../problem.ts'
import { aloneCrowd } from '../threads/crowd.ts'
import type { Collector } from './collector.ts'

// Scrapers ask every few seconds and in turn; whoever holds more connections than this does something else. One more,
// and that which has been silent for longest makes room.
const mostScrapers = 50

/** A server, not yet listening, that answers GET /metrics and nothing else. */
export function createMetricsServer(collector: Collector, config: Pick<ServerConfig, 'performance'>): Server {
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
      collector.text().then(
        (text) => {
          closeIfBodyIsMissing(response)
          response.writeHead(200, { 'content-type': collector.contentType, 'content-length': Buffer.byteLength(text) })
          response.end(text)
        },
        () => sendProblem(response, 500, 'the metrics could not be collected'),
      )
    }),
  )
  const nobody = () => undefined
  trackConnections([server], {
    places: createPlaces({
      ...{ most: mostScrapers, reserved: 0, crowd: aloneCrowd() },
      onGivenUp: nobody,
      onRefused: nobody,
    }),
    stalledMs: config.performance.request_timeout_ms,
    onRequestEnd: nobody,
  })
  return server
}
