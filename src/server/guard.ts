// Before anything is looked up: which requests are answered at all. It stands outside the router, so that no route,
// and no answer of the framework by itself, can be forgotten.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { TLSSocket } from 'node:tls'
import { closeIfBodyIsMissing } from './bodies.ts'
import type { Places } from './places.ts'
import { sendProblem } from './problem.ts'
import { refusalByRole, refusalInMaintenance, sendRefusal } from './standing/refusals.ts'
import type { Standing } from './standing/standing.ts'
import type { Caller, TokenCheck } from './tokens.ts'

export type Handler = (request: IncomingMessage, response: ServerResponse) => void

export interface GuardRules {
  /** Where connections are scarce: who is answered. */
  readonly places: Pick<Places, 'full' | 'admit'>
  /** The port that requests without TLS are told to use; undefined where they are answered. */
  readonly tlsPort: number | undefined
  /** Undefined where no token is needed. */
  readonly tokens: TokenCheck | undefined
  /** Whether anything is begun now. */
  readonly standing: Standing
}

// Asked by balancers and deployments, which hold no tokens; they say nothing that a client could not find out.
const openPaths: readonly (string | undefined)[] = ['/health', '/health/live', '/health/ready']
const openMethods: readonly (string | undefined)[] = ['GET', 'HEAD']

type Headers = Readonly<Record<string, string>>

/** For who finds everything in use. */
export const tryAgain: Headers = { 'retry-after': '1', connection: 'close' }

// RFC 6750, 3. The same for every reason: an attacker learns nothing from it.
const refusal: Headers = { 'www-authenticate': 'Bearer error="invalid_token"' }

const callerIs = Symbol('caller')
type Known = IncomingMessage & { [callerIs]?: Caller }

/** The `sub` of the token that a request came with; '' where it has none, or none was asked for. */
export const subjectOf = (request: IncomingMessage): string => (request as Known)[callerIs]?.subject ?? ''

/** A handler that is reached only by requests that the rules let through. */
export function guard({ places, tlsPort, tokens, standing }: GuardRules, reached: Handler): Handler {
  const handler: Handler = (request, response) => {
    const refused = refusalByRole(standing, request)
    if (refused === undefined) reached(request, response)
    else sendRefusal(response, refused)
  }
  const letIn = (request: IncomingMessage, response: ServerResponse, caller: Caller | undefined): void => {
    if (request.socket.destroyed) return
    if (caller === undefined) sendProblem(response, 401, 'a valid token is required', refusal)
    else {
      ;(request as Known)[callerIs] = caller
      handler(request, response)
    }
  }
  const checkToken = (request: IncomingMessage, response: ServerResponse, check: TokenCheck): void => {
    const caller = check(request.headers.authorization)
    // A known token takes no detour: other requests would come in between.
    if (caller instanceof Promise) void caller.then((found) => letIn(request, response, found))
    else letIn(request, response, caller)
  }
  return (request, response) => {
    // Sent behind a request whose answer said that it is the last one.
    if (request.socket.destroyed) return
    const broken = brokenBy(request)
    if (broken !== undefined) {
      sendProblem(response, ...broken)
      return
    }
    // Compared as it came: an address in another spelling that a router would take for health needs a token.
    const open = openPaths.includes(request.url?.split('?')[0]) && openMethods.includes(request.method)
    if (open) {
      closeIfBodyIsMissing(response)
      if (places.full()) response.setHeader('Connection', 'close')
      reached(request, response)
      return
    }
    const refused = refusalInMaintenance(standing)
    if (refused !== undefined) sendRefusal(response, refused)
    else if (!places.admit()) sendProblem(response, 503, 'all connections are in use: try again', tryAgain)
    else if (tlsPort !== undefined && !(request.socket instanceof TLSSocket)) {
      // Not a redirect: it would teach clients to send their tokens in plain text first.
      sendProblem(response, 403, `TLS is required: use https on port ${tlsPort}`)
    } else if (tokens === undefined) handler(request, response)
    else checkToken(request, response, tokens)
  }
}

/** What Node would answer by itself, and without a word; undefined where nothing is wrong with the request. */
export function brokenBy({ headers, httpVersion }: IncomingMessage): readonly [number, string, Headers?] | undefined {
  if (httpVersion !== '1.1') return undefined
  // RFC 9112, 3.2
  if (headers.host === undefined) return [400, 'the header Host is missing', { connection: 'close' }]
  // RFC 9110, 10.1.1
  if (headers.expect !== undefined && !/^100-continue$/i.test(headers.expect)) {
    return [417, 'only Expect: 100-continue is known']
  }
  return undefined
}
