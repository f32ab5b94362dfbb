// Backing up a fleet: every host is asked for the same, by its own clock.
import type { BackupKind } from '../../model/backup.ts'
import type { BackupSettings } from '../../model/backup-config.ts'
import { readClock } from '../gc/clean-up.ts'
import { fieldsOf, type FleetProcedure } from '../procedure.ts'
import { keepOf, offsiteOf, type BackupRequest } from './request.ts'

export const backup: FleetProcedure<BackupSettings & { readonly only?: BackupKind | undefined }, number> = {
  name: 'backup',
  look: (_input, _place, reader) => readClock(reader),
  assign({ paths, exclude, to, compression, keep, textfile, only, ...copies }, place, lookedAt) {
    const request: BackupRequest = {
      ...{ procedure: 'backup', ...fieldsOf(place), paths: [...paths], exclude: [...exclude], to, compression },
      keep: keepOf(keep),
      ...(only === undefined ? {} : { only }),
      ...(textfile === undefined ? {} : { textfile }),
      ...offsiteOf(copies, place.host),
      ...(lookedAt === undefined ? {} : { lookedAt }),
    }
    return { request, pushes: [] }
  },
}
