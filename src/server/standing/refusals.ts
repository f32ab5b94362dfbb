// What is not begun now: in maintenance nothing but health, on a standby no write. Either is a 503 with the time to ask again.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { closeIfBodyIsMissing } from '../bodies.ts'
import { problemBody, problemType } from '../problem.ts'
import { requestIdHeader, requestIdOf } from '../request-id.ts'
import type { Standing } from './standing.ts'

/** Why a request is not begun, and what its answer says. */
export interface StandingRefusal {
  readonly detail: string
  readonly headers: Readonly<Record<string, string>>
  /** Members of the problem besides the usual ones (RFC 9457, 3.2). */
  readonly members: Readonly<Record<string, string>>
}

// guide: Planned Maintenance waits 30 s for connections to drain; sooner nobody needs to ask.
const retryAfterMaintenance = '30'
// A failover ends by changing the role back here or the address there, within seconds (guide: Recovery Time Objective).
const retryAfterStandby = '5'

const readMethods: readonly (string | undefined)[] = ['GET', 'HEAD', 'OPTIONS']

/** Of all requests but those for health; asked before tokens are looked at. Undefined where the request may go on. */
export function refusalInMaintenance(standing: Standing): StandingRefusal | undefined {
  if (!standing.maintenance()) return undefined
  return {
    detail: 'the service is in maintenance: try again later',
    // The connection ends with it, so that a drain can be seen to end.
    headers: { 'retry-after': retryAfterMaintenance, connection: 'close' },
    members: { reason: 'maintenance' },
  }
}

/** Of writes, on a standby; asked after tokens, since it names the primary. Undefined where the request may go on. */
export function refusalByRole(
  standing: Standing,
  { method }: Pick<IncomingMessage, 'method'>,
): StandingRefusal | undefined {
  if (readMethods.includes(method)) return undefined
  const role = standing.role()
  if (role.kind === 'primary') return undefined
  const where = role.primary === undefined ? 'the primary' : `the primary, ${role.primary}`
  return {
    detail: `this is a standby, which takes no writes: send them to ${where}`,
    headers: { 'retry-after': retryAfterStandby },
    members: { reason: 'standby', ...(role.primary === undefined ? {} : { primary: role.primary }) },
  }
}

/** Answers with the refusal. */
export function sendRefusal(response: ServerResponse, { detail, headers, members }: StandingRefusal): void {
  const id = requestIdOf(response.req)
  const body = JSON.stringify({ ...problemBody(503, detail, id), ...members })
  closeIfBodyIsMissing(response)
  response.writeHead(503, {
    ...headers,
    [requestIdHeader]: id,
    'content-type': problemType,
    'content-length': Buffer.byteLength(body),
  })
  response.end(body)
}
