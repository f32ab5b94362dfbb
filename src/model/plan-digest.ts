// A plan by its hashes: small enough to go along with a request, and enough to tell another plan from it.
import * as z from 'zod'

export const planDigest = z.strictObject({
  /** Of the plan as a whole, in canonical form. */
  sha256: z.string(),
  /** Of what each step would apply and take back, by the step's id; steps that change nothing are not among them. */
  steps: z.record(z.string(), z.string()),
})
export type PlanDigest = z.infer<typeof planDigest>
