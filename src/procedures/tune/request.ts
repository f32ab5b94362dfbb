// Tuning of one host, or taking it back: the request for it.
import * as z from 'zod'
import { tuningFields } from '../../model/tuning.ts'
import { requestFields } from '../host-request.ts'

export const tuningRequest = z.strictObject({
  procedure: z.literal('tune'),
  ...requestFields,
  action: z.enum(['apply', 'revert']),
  ...tuningFields,
  /** Whether a running service is restarted where it needs that. */
  restart: z.boolean(),
  minHealthyMs: z.number(),
  healthyDeadlineMs: z.number(),
})
export type TuningRequest = z.infer<typeof tuningRequest>
