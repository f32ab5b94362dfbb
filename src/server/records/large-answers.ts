// Answers so large that there must not be many at once: each is in memory until its client has taken it, and clients may be slow.
import type { ServerResponse } from 'node:http'
import type { FastifyReply } from 'fastify'
import type { Budget } from '../bodies.ts'
import type { Shared } from '../threads/shared.ts'
import { sendProblemReply } from './answers.ts'

/** What all large answers together may hold. */
export type AnswerBudget = Pick<Budget, 'take' | 'give'>

// Smaller ones come to less than the sockets' own buffers.
const large = 64 * 1024

/** @param most in bytes */
export const answerBudget = (shared: Pick<Shared, 'takeAnswers' | 'giveAnswers'>, most: number): AnswerBudget => ({
  take: (bytes) => shared.takeAnswers(bytes, most),
  give: shared.giveAnswers,
})

/**
 * What to send for a text: the text itself, or where it is large its bytes. Those alone are then in memory until the client
 * has taken them, or is gone; of a text Node would keep it, itself with the head before it, and the bytes of both.
 * @returns undefined where there is no memory for it now
 */
export function holdAnswer(response: ServerResponse, text: string, answers: AnswerBudget): string | Buffer | undefined {
  // Of a client that is gone already nobody would tell the end.
  if (text.length <= large || response.destroyed) return text
  const bytes = Buffer.byteLength(text)
  if (!answers.take(bytes)) return undefined
  response.once('close', () => answers.give(bytes))
  return Buffer.from(text)
}

/** Answers with a text and headers, or with 503 where too many large answers are on their way. */
export function sendText(
  reply: FastifyReply,
  { text, headers }: { readonly text: string; readonly headers: readonly string[] },
  answers: AnswerBudget,
): FastifyReply {
  const held = holdAnswer(reply.raw, text, answers)
  if (held === undefined) {
    return sendProblemReply(reply.header('retry-after', '1'), 503, 'too many large answers are being sent: try again')
  }
  for (let at = 0; at < headers.length; at += 2) reply.header(headers[at] ?? '', headers[at + 1])
  return reply.send(held)
}
