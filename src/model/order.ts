// The order for a host's part of a run: one shape a procedure, written down on the host before anything is done.
import * as z from 'zod'
import { activationInput } from './activation.ts'
import { cleanUpInput } from './clean-up.ts'
import { tuningInput } from './tuning.ts'

export const hostOrder = z.discriminatedUnion('procedure', [activationInput, tuningInput, cleanUpInput])
export type HostOrder = z.infer<typeof hostOrder>
