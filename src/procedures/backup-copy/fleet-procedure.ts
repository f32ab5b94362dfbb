// Copying backups of a fleet elsewhere: every host sends its own.
import type { BackupSettings } from '../../model/backup-config.ts'
import { NetopsError } from '../../model/errors.ts'
import { offsiteOf } from '../backup/request.ts'
import { fieldsOf, type FleetProcedure } from '../procedure.ts'
import type { CopyHostRequest } from './request.ts'

export type Copying = Pick<CopyHostRequest, 'which'> & Pick<BackupSettings, 'to' | 'offsite' | 'encrypt_to' | 's3'>

export const backupCopy: FleetProcedure<Copying, undefined> = {
  name: 'backup-copy',
  look: () => Promise.resolve(undefined),
  assign({ which, to, ...copies }, place) {
    const { offsite } = offsiteOf(copies, place.host)
    if (offsite === undefined) {
      throw new NetopsError('usage', {
        message: 'no place for copies is named',
        hint: 'name one in the fleet file: backup.offsite: s3://bucket/prefix',
      })
    }
    const request: CopyHostRequest = { procedure: 'backup-copy', ...fieldsOf(place), which, to, offsite }
    return { request, pushes: [] }
  },
}
