// Cleaning up after netops on a host: the request for it.
import * as z from 'zod'
import { requestFields } from '../host-request.ts'

export const cleanUpRequest = z.strictObject({
  procedure: z.literal('gc'),
  ...requestFields,
  /** Runs that ended longer ago than this are removed, in ms. */
  olderThanMs: z.number(),
  /** The newest runs that stay whatever their age. */
  keepRuns: z.number(),
})
export type CleanUpRequest = z.infer<typeof cleanUpRequest>
