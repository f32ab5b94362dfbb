// Restoring databases on a fleet: each host from its own backups.
import { fieldsOf, type FleetProcedure } from '../procedure.ts'
import type { HostPlace } from '../host-request.ts'
import type { DatabaseRestoreRequest } from './request.ts'

export type DatabaseRestoring = Omit<DatabaseRestoreRequest, keyof HostPlace | 'procedure' | 'shown'>

export const databaseRestore: FleetProcedure<DatabaseRestoring, undefined> = {
  name: 'database-restore',
  look: () => Promise.resolve(undefined),
  assign: (input, place) => ({ request: { procedure: 'database-restore', ...fieldsOf(place), ...input }, pushes: [] }),
}
