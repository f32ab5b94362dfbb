// What is said over the control socket: one line of JSON asks, one line answers.
import * as z from 'zod'
import { errorCodes } from '../../model/errors.ts'
import { primaryAddress } from '../standing/role.ts'

/** What the service can be asked for. */
export const controlRequest = z.union([
  z.strictObject({ command: z.literal('status') }),
  z.strictObject({ command: z.literal('checkpoint') }),
  z.strictObject({ command: z.literal('reload') }),
  z.strictObject({ command: z.literal('role'), role: z.literal('primary') }),
  z.strictObject({ command: z.literal('role'), role: z.literal('standby'), primary: primaryAddress.optional() }),
])
export type ControlRequest = z.infer<typeof controlRequest>

/** What it answers; what a result holds is each command's own. */
export const controlAnswer = z.discriminatedUnion('ok', [
  z.object({ ok: z.literal(true), result: z.record(z.string(), z.json()) }),
  z.object({
    ok: z.literal(false),
    error: z.object({ code: z.enum(errorCodes), message: z.string(), hint: z.string().optional() }),
  }),
])
export type ControlAnswer = z.infer<typeof controlAnswer>
export type ControlResult = Extract<ControlAnswer, { ok: true }>['result']

/** The socket's name in its folder. */
export const socketName = 'socket'
/** Requests and answers are shorter than this, in bytes, their line ends among them. */
export const longestRequest = 4096
export const longestAnswer = 65_536
