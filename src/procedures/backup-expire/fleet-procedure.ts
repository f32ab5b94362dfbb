// Removing backups that no rule keeps, on a fleet: by each host's own clock.
import type { BackupSettings } from '../../model/backup-config.ts'
import { keepOf } from '../backup/request.ts'
import { readClock } from '../gc/clean-up.ts'
import { fieldsOf, type FleetProcedure } from '../procedure.ts'
import type { ExpireRequest } from './request.ts'

export const backupExpire: FleetProcedure<Pick<BackupSettings, 'keep'>, number> = {
  name: 'backup-expire',
  look: (_input, _place, reader) => readClock(reader),
  assign({ keep }, place, lookedAt) {
    const request: ExpireRequest = {
      ...{ procedure: 'backup-expire', ...fieldsOf(place), keep: keepOf(keep) },
      ...(lookedAt === undefined ? {} : { lookedAt }),
    }
    return { request, pushes: [] }
  },
}
