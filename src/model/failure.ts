// Why a step or a run failed, as journals and plans hold it.
import * as z from 'zod'
import { exitCodes, type NetopsError, type Outcome } from './errors.ts'

export const outcome = z.enum(Object.keys(exitCodes) as [Outcome, ...Outcome[]])

/** The failure that ended a run, or made it turn back. */
export const failure = z.strictObject({
  code: outcome,
  message: z.string(),
  hint: z.string().optional(),
  /** The last lines of what the service said. */
  log: z.array(z.string()).readonly().exactOptional(),
  host: z.string().optional(),
  step: z.string().optional(),
})
export type Failure = z.infer<typeof failure>

/** An error as journals and documents hold it: fields that say nothing are left out. */
export const failureOf = ({ code, message, hint, log, host, step }: NetopsError | Failure): Failure => ({
  code,
  message,
  ...(hint === undefined ? {} : { hint }),
  ...(log === undefined || log.length === 0 ? {} : { log }),
  ...(host === undefined ? {} : { host }),
  ...(step === undefined ? {} : { step }),
})
