// Drills on a fleet: every host is asked for the same.
import { fieldsOf, type FleetProcedure } from '../procedure.ts'
import type { DrillRequest } from './request.ts'

export type Drill = Pick<DrillRequest, 'which' | 'scratch' | 'objectives' | 'healthyDeadlineMs'>

export const backupDrill: FleetProcedure<Drill, null> = {
  name: 'backup-drill',
  look: () => Promise.resolve(null),
  assign({ which, scratch, objectives, healthyDeadlineMs }, place) {
    const request: DrillRequest = {
      procedure: 'backup-drill',
      ...fieldsOf(place),
      ...{ which, scratch, objectives, healthyDeadlineMs },
    }
    return { request, pushes: [] }
  },
}
