// Cleaning up on a fleet: every host is asked for the same.
import { fieldsOf, type FleetProcedure } from '../procedure.ts'
import type { CleanUpRequest } from './request.ts'

export type CleanUp = Pick<CleanUpRequest, 'olderThanMs' | 'keepRuns'>

export const gc: FleetProcedure<CleanUp, null> = {
  name: 'gc',
  look: () => Promise.resolve(null),
  assign({ olderThanMs, keepRuns }, place) {
    const request: CleanUpRequest = { procedure: 'gc', ...fieldsOf(place), olderThanMs, keepRuns }
    return { request, pushes: [] }
  },
}
