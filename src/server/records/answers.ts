// Answers of the records' routes that are not what was asked for.
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { z } from 'zod'
import { closeIfBodyIsMissing } from '../bodies.ts'
import { problemBody, problemType } from '../problem.ts'
import { sendRefusal } from '../standing/refusals.ts'
import { WriteRefused } from '../standing/writes.ts'
import { StoreUnavailable } from '../store/port.ts'

/** A request that is refused, and how. */
export class Refusal extends Error {
  readonly status: number

  constructor(status: number, detail: string) {
    super(detail)
    this.status = status
  }
}

/** What a schema makes of a part of a request. @throws Refusal 400 that names what is wrong */
export function parsed<Schema extends z.ZodType>(schema: Schema, given: unknown): z.output<Schema> {
  const result = schema.safeParse(given)
  if (result.success) return result.data
  const [issue] = result.error.issues
  if (issue === undefined) throw new Refusal(400, 'the request is not understood')
  // Names of unknown parameters come from the client: told they are not, like its values.
  const name = issue.path.join('.')
  throw new Refusal(400, name === '' ? 'a parameter that is not known here' : `${name}: ${wordsOf(issue)}`)
}

const wordsOf = (issue: z.core.$ZodIssue): string =>
  issue.message.startsWith('Invalid') ? 'not what is expected here' : lowerFirst(issue.message)

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1)

export function sendProblemReply(reply: FastifyReply, status: number, detail: string): FastifyReply {
  closeIfBodyIsMissing(reply.raw)
  return reply
    .code(status)
    .type(problemType)
    .send(JSON.stringify(problemBody(status, detail, reply.request.id)))
}

/** Answers for what a route threw, where that is for the client to know; the rest is for who answers for all routes. */
export function errorHandler(error: unknown, _request: FastifyRequest, reply: FastifyReply): void {
  if (error instanceof Refusal) sendProblemReply(reply, error.status, error.message)
  else if (error instanceof WriteRefused) sendRefusal(reply.hijack().raw, error.refusal)
  else if (error instanceof StoreUnavailable) {
    // A second is what a database that restarts, or another one that takes its place, needs at least.
    sendProblemReply(reply.header('retry-after', '1'), 503, `the records cannot be reached: ${error.reason}`)
  } else throw error
}
