// Cleaning up after netops as a procedure of one host.
import { defineHostProcedure } from '../procedure.ts'
import { planCleanUp, readCleanUpFacts, type CleanUpFacts } from './clean-up.ts'
import { cleanUpRequest, type CleanUpRequest } from './request.ts'

export const gc = defineHostProcedure<CleanUpRequest, CleanUpFacts>({
  name: 'gc',
  title: 'Clean up the host',
  request: cleanUpRequest,
  leases: ['release'],
  facts: (request, { reader }) => readCleanUpFacts(reader, request),
  plan: planCleanUp,
  reason: () => 'cleaning up',
  result: (_, changed) => ({ text: changed ? 'cleaned up' : 'nothing to do', data: {} }),
})
