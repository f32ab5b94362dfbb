// Bodies of requests: none is read before its route, its token and its length are accepted, and what all of them
// together hold in memory is bounded.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Transform, type TransformCallback } from 'node:stream'
import type {
  FastifyInstance,
  FastifyRequest,
  onRequestHookHandler,
  onSendHookHandler,
  preParsingHookHandler,
} from 'fastify'
import type { Shared } from './threads/shared.ts'

/** Memory that is shared by whoever needs it for a while. */
export interface Budget {
  readonly free: () => number
  /** @returns false, and nothing is taken, where less is free */
  readonly take: (bytes: number) => boolean
  readonly give: (bytes: number) => void
}

/** A budget of all threads together. */
export const sharedBudget = (shared: Pick<Shared, 'bodies' | 'takeBodies' | 'giveBodies'>, most: number): Budget => ({
  free: () => most - shared.bodies(),
  take: (bytes) => shared.takeBodies(bytes, most),
  give: shared.giveBodies,
})

// A body is there twice while its pieces are put together: with an eighth, bodies take a quarter of the memory at most,
// and the health check of memory begins to fail at nine tenths.
const shareOfMemory = 8

/**
 * What all bodies together may hold.
 * @param memory what the process may use
 * @param largest the longest body that is accepted, which must fit in any case
 */
export const bodyBudget = (memory: number, largest: number): number =>
  Math.max(Math.floor(memory / shareOfMemory), largest)

/** A request that is not served because of its body. */
export class BodyRefusal extends Error {
  readonly statusCode: 413 | 503

  constructor(statusCode: 413 | 503, message: string) {
    super(message)
    this.statusCode = statusCode
  }
}

const tooLarge = (most: number) => new BodyRefusal(413, `the body is larger than ${most} bytes`)
const noRoom = () => new BodyRefusal(503, 'too many bodies are being received: try again')

/** Whether a request says that it has a body. */
export const bodyIsTold = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0

/** Lets an answer that is given before the body has come be the last one of its connection. */
export function closeIfBodyIsMissing(response: ServerResponse): void {
  if (!response.headersSent && !response.req.complete && bodyIsTold(response.req))
    response.setHeader('Connection', 'close')
}

// RFC 9110, 9.3.1, 9.3.2 and 9.3.8: a body of these means nothing.
const bodyless: readonly string[] = ['GET', 'HEAD', 'TRACE']

/** Bounds the bodies of all routes that are added to the application afterwards. */
export function boundBodies(app: FastifyInstance, budget: Budget): void {
  const hooks = bodyHooks(budget)
  app.addHook('onRoute', (route) => {
    if ([route.method].flat().every((method) => bodyless.includes(method))) return
    route.onRequest = [hooks.onRequest, ...listed(route.onRequest)]
    route.preParsing = [...listed(route.preParsing), hooks.preParsing]
    route.onSend = [...listed(route.onSend), hooks.onSend]
  })
}

const listed = <Hook>(hooks: Hook | Hook[] | undefined): Hook[] =>
  hooks === undefined ? [] : ([hooks].flat() as Hook[])

interface BodyHooks {
  readonly onRequest: onRequestHookHandler
  readonly preParsing: preParsingHookHandler
  readonly onSend: onSendHookHandler
}

const bodyHooks = (budget: Budget): BodyHooks => ({
  onRequest: (request, _reply, done) => done(refusalOfLength(request)),
  preParsing(request, reply, payload, done) {
    const { raw, headers } = request
    if (!hasBody(request)) {
      done(null, payload)
      return
    }
    if (announced(request) > budget.free()) {
      done(noRoom())
      return
    }
    // RFC 9110, 10.1.1: only now is the body asked for, where the client waits for that.
    if (!raw.complete && headers.expect !== undefined && raw.httpVersion === '1.1') reply.raw.writeContinue()
    const body = new CountedBody(budget, limitOf(request))
    reply.raw.once('close', () => {
      raw.unpipe(body)
      raw.resume()
      body.destroy()
      body.release()
    })
    raw.once('error', (error) => body.destroy(error))
    // Whoever reads the body answers with what is wrong; until somebody does, it must not end the service.
    body.on('error', () => undefined)
    done(null, raw.pipe(body))
  },
  onSend(_request, reply, _payload, done) {
    closeIfBodyIsMissing(reply.raw)
    done()
  },
})

const hasBody = ({ raw, method }: FastifyRequest): boolean => !bodyless.includes(method) && bodyIsTold(raw)
const limitOf = ({ routeOptions }: FastifyRequest): number => routeOptions.bodyLimit
const announced = ({ headers }: FastifyRequest): number => Number(headers['content-length'] ?? 0)

/** What is wrong with a request whose body is announced to be longer than its route takes. */
export const refusalOfLength = (request: FastifyRequest): BodyRefusal | undefined =>
  hasBody(request) && announced(request) > limitOf(request) ? tooLarge(limitOf(request)) : undefined

// Pieces shorter than this are put together: each would cost more in objects than in bytes.
const shortPiece = 4096
const bundle = 16 * 1024

/** Passes a body on, piece by piece, and takes from the budget what it comes to. */
class CountedBody extends Transform {
  readonly #budget: Budget
  readonly #most: number
  #taken = 0
  #gathered: Buffer | undefined
  #length = 0
  #received = 0

  constructor(budget: Budget, most: number) {
    super()
    this.#budget = budget
    this.#most = most
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#received += chunk.length
    if (this.#received > this.#most) done(tooLarge(this.#most))
    else if (!this.#take(chunk.length)) done(noRoom())
    else if (chunk.length < shortPiece) done(this.#gather(chunk) ? undefined : noRoom())
    else {
      this.#passOn()
      this.push(chunk)
      done()
    }
  }

  override _flush(done: TransformCallback): void {
    this.#passOn()
    done()
  }

  /** What it took is free for others; nothing of it is held any more. */
  release(): void {
    this.#budget.give(this.#taken)
    this.#taken = 0
  }

  #take(bytes: number): boolean {
    if (!this.#budget.take(bytes)) return false
    this.#taken += bytes
    return true
  }

  #gather(chunk: Buffer): boolean {
    if (this.#gathered === undefined) {
      if (!this.#take(bundle)) return false
      this.#gathered = Buffer.allocUnsafeSlow(bundle)
    }
    if (this.#length + chunk.length > bundle) this.#passOn()
    this.#length += chunk.copy(this.#gathered, this.#length)
    return true
  }

  #passOn(): void {
    if (this.#gathered === undefined || this.#length === 0) return
    this.push(Buffer.from(this.#gathered.subarray(0, this.#length)))
    this.#length = 0
  }
}
