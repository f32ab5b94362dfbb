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
  /**
   * The host's clock when the operator looked, in ms since 1970: what grows old between that and the clean-up is left to the
   * next one, else the host would do something else than was shown. Now, where nobody looked.
   */
  lookedAt: z.number().exactOptional(),
})
export type CleanUpRequest = z.infer<typeof cleanUpRequest>
