// The order for a host's part of a run: one shape a procedure, written down on the host before anything is done.
import * as z from 'zod'
import { activationInput } from './deploy/request.ts'
import { cleanUpInput } from './gc/request.ts'
import { tuningInput } from '../model/tuning.ts'

export const hostOrder = z.discriminatedUnion('procedure', [activationInput, tuningInput, cleanUpInput])
export type HostOrder = z.infer<typeof hostOrder>
