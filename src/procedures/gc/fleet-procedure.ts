// Cleaning up on a fleet: every host is asked for the same.
import { readClock } from './clean-up.ts'
import { fieldsOf, type FleetProcedure } from '../procedure.ts'
import type { CleanUpRequest } from './request.ts'

export type CleanUp = Pick<CleanUpRequest, 'olderThanMs' | 'keepRuns'>

export const gc: FleetProcedure<CleanUp, number> = {
  name: 'gc',
  look: (_input, _place, reader) => readClock(reader),
  assign({ olderThanMs, keepRuns }, place, lookedAt) {
    const looked = lookedAt === undefined ? {} : { lookedAt }
    const request: CleanUpRequest = { procedure: 'gc', ...fieldsOf(place), olderThanMs, keepRuns, ...looked }
    return { request, pushes: [] }
  },
}
