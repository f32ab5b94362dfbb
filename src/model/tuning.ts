// Tuning of a host: kernel parameters, limits, threads and pools. Its order, and the record of what was there before.
import { z } from 'zod'
import { orderPlace } from './order-place.ts'

export const tuningInput = z.strictObject({
  procedure: z.literal('tune'),
  ...orderPlace,
  action: z.enum(['apply', 'revert']),
})
export type TuningInput = z.infer<typeof tuningInput>
