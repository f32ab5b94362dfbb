// The name of a request: the client's own, or a new one. It stands in every answer, so that a client's complaint leads to
// the lines of the logs.
import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

export const requestIdHeader = 'x-request-id'

// What needs no escape anywhere: in logs, addresses, and shells. Longer ones would only make logs grow.
const acceptable = /^[A-Za-z0-9._~-]{1,128}$/

// Random once, counted from there: as unique as random numbers each, and made in nanoseconds.
const beginning = randomBytes(9).toString('base64url')
let count = 0

const idOf = Symbol('request id')
type Named = IncomingMessage & { [idOf]?: string | undefined }

/** A name that no other request has. */
export const newRequestId = (): string => `${beginning}.${(count += 1).toString(36)}`

/** The name of a request, the same whenever it is asked for. */
export function requestIdOf(request: IncomingMessage): string {
  const named: Named = request
  return (named[idOf] ??= given(request.headers[requestIdHeader]) ?? newRequestId())
}

// A header that came twice is one text here, with a comma, which is not accepted.
const given = (header: string | string[] | undefined): string | undefined =>
  typeof header === 'string' && acceptable.test(header) ? header : undefined
