// Cleaning up after netops on a host: the order for it.
import * as z from 'zod'
import { orderPlace } from '../../model/order-place.ts'

export const cleanUpInput = z.strictObject({
  procedure: z.literal('gc'),
  ...orderPlace,
  /** Runs that ended longer ago than this are removed, in ms. */
  olderThanMs: z.number(),
  /** The newest runs that stay whatever their age. */
  keepRuns: z.number(),
})
export type CleanUpInput = z.infer<typeof cleanUpInput>
