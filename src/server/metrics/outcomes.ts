// How requests ended, by method, route and class of status, and errors by type: labels that no client can make more of.
// Counted in plain numbers, because a request must not cost the making of labels; they become labels when they are read.
import { Counter, type Registry } from 'prom-client'

const methods = ['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'PATCH', 'OPTIONS', 'other'] as const

/** What `route` may be; `other` is whatever is not served. */
const routes = [
  '/health',
  '/health/live',
  '/health/ready',
  '/openapi.json',
  '/v1/records/{collection}',
  '/v1/records/{collection}/{key}',
  'other',
] as const
type Route = (typeof routes)[number]

// `none`: the connection was gone before an answer was begun.
const statuses = ['none', '1xx', '2xx', '3xx', '4xx', '5xx'] as const

// RFC 9110, 15.5 and 15.6, and RFC 6585: those that are answered here; the others of a class count together.
const typeOfStatus: Readonly<Record<number, string>> = {
  400: 'bad_request',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not_found',
  405: 'method_not_allowed',
  408: 'timeout',
  409: 'conflict',
  412: 'precondition_failed',
  413: 'too_large',
  415: 'unsupported_media_type',
  417: 'expectation_failed',
  422: 'unprocessable',
  428: 'precondition_required',
  429: 'rate_limited',
  431: 'headers_too_large',
  500: 'internal',
  503: 'unavailable',
}

// What is no answer to a request.
const otherTypes = ['aborted', 'broken_request', 'refused', 'client_error', 'server_error'] as const

/** What `type` of network_errors_total may be. */
const errorTypes: readonly string[] = [...Object.values(typeOfStatus), ...otherTypes]

export interface Outcomes {
  /**
   * A request has ended.
   * @param method as it came
   * @param url as it came
   */
  readonly ended: (method: string | undefined, url: string | undefined, answered: Answered) => void
  /** A request that could not be read, and what it was answered with. */
  readonly broken: (status: number) => void
  /** A connection that was turned away. */
  readonly refused: () => void
}

export interface Answered {
  /** 0 where no answer was begun. */
  readonly status: number
  /** Whether the client got all of the answer. */
  readonly whole: boolean
}

const recordsPath = '/v1/records/'

/** The route that an address belongs to, whether something is served there or not. */
export function routeOf(url: string | undefined): Route {
  if (url === undefined) return 'other'
  const query = url.indexOf('?')
  const path = query < 0 ? url : url.slice(0, query)
  if (path.startsWith(recordsPath)) {
    const slash = path.indexOf('/', recordsPath.length)
    if (slash < 0) return path.length > recordsPath.length ? '/v1/records/{collection}' : 'other'
    const whole = slash > recordsPath.length && slash < path.length - 1 && !path.includes('/', slash + 1)
    return whole ? '/v1/records/{collection}/{key}' : 'other'
  }
  switch (path) {
    case '/health':
    case '/health/live':
    case '/health/ready':
    case '/openapi.json':
      return path
    default:
      return 'other'
  }
}

/** Counts outcomes into a registry, as network_responses_total and network_errors_total. */
export function countOutcomes(registry: Registry): Outcomes {
  const cells = new Float64Array(methods.length * routes.length * statuses.length)
  const errors = new Float64Array(errorTypes.length)
  const methodIndex = new Map<string, number>(methods.map((method, index) => [method, index]))
  const routeIndex = new Map<string, number>(routes.map((route, index) => [route, index]))
  const errorIndex = new Map(errorTypes.map((type, index) => [type, index]))
  const add = (type: string) => {
    const index = errorIndex.get(type)
    if (index !== undefined) errors[index] = (errors[index] ?? 0) + 1
  }
  const typeOf = (status: number): string => typeOfStatus[status] ?? (status >= 500 ? 'server_error' : 'client_error')

  new Counter({
    name: 'network_responses_total',
    help: 'Requests that ended, by method, route and class of status; none: the connection was gone before an answer',
    labelNames: ['method', 'route', 'status'],
    registers: [registry],
    collect() {
      this.reset()
      cells.forEach((count, cell) => {
        if (count === 0) return
        const [at, status] = [Math.floor(cell / statuses.length), statuses[cell % statuses.length] ?? 'none']
        const [method, route] = [methods[Math.floor(at / routes.length)], routes[at % routes.length]]
        this.inc({ method: method ?? 'other', route: route ?? 'other', status }, count)
      })
    },
  })
  new Counter({
    name: 'network_errors_total',
    help: 'Errors by type: answers of 4xx and 5xx, clients that left before their answer, what could not be read, connections refused',
    labelNames: ['type'],
    registers: [registry],
    collect() {
      this.reset()
      // Those that have not happened too: a rate can only be told of what was there before.
      errors.forEach((count, index) => this.inc({ type: errorTypes[index] ?? '' }, count))
    },
  })

  return {
    ended(method, url, { status, whole }) {
      const byMethod = methodIndex.get(method ?? '') ?? methods.length - 1
      const byRoute = routeIndex.get(routeOf(url)) ?? routes.length - 1
      const byStatus = Math.min(Math.floor(status / 100), statuses.length - 1)
      const cell = (byMethod * routes.length + byRoute) * statuses.length + byStatus
      cells[cell] = (cells[cell] ?? 0) + 1
      if (status >= 400) add(typeOf(status))
      else if (!whole) add('aborted')
    },
    broken: (status) => add(status === 400 ? 'broken_request' : typeOf(status)),
    refused: () => add('refused'),
  }
}
