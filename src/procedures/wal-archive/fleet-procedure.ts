// Archiving logs on a fleet: every host is asked for the same, each for the database that its own configuration names.
import { fieldsOf, type FleetProcedure } from '../procedure.ts'
import type { WalArchiveRequest } from './request.ts'

export type WalArchiving = Pick<
  WalArchiveRequest,
  'action' | 'mode' | 'to' | 'slot' | 'synchronous' | 'user' | 'passwordFile' | 'bin' | 'account'
>

export const walArchive: FleetProcedure<WalArchiving, undefined> = {
  name: 'wal-archive',
  look: () => Promise.resolve(undefined),
  assign: (input, place) => ({ request: { procedure: 'wal-archive', ...fieldsOf(place), ...input }, pushes: [] }),
}
