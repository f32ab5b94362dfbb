// Verifying backups on a fleet: every host is asked for the same.
import { readClock } from '../gc/clean-up.ts'
import { fieldsOf, type FleetProcedure } from '../procedure.ts'
import type { VerifyRequest } from './request.ts'

export type Verification = Pick<VerifyRequest, 'which' | 'share'> & { readonly textfile?: string | undefined }

export const backupVerify: FleetProcedure<Verification, number> = {
  name: 'backup-verify',
  look: (_input, _place, reader) => readClock(reader),
  assign({ which, share, textfile }, place, lookedAt) {
    const request: VerifyRequest = {
      ...{ procedure: 'backup-verify', ...fieldsOf(place), which, share },
      ...(textfile === undefined ? {} : { textfile }),
      ...(lookedAt === undefined ? {} : { lookedAt }),
    }
    return { request, pushes: [] }
  },
}
