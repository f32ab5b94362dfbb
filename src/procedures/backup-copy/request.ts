// Copying backups of a host elsewhere: the request for it.
import * as z from 'zod'
import { backupId } from '../../model/backup.ts'
import { usualBackup } from '../../model/backup-config.ts'
import { offsiteRequest } from '../../model/offsite.ts'
import { absolutePath } from '../../model/path-values.ts'
import { requestFields } from '../host-request.ts'

export const copyRequest = z.strictObject({
  procedure: z.literal('backup-copy'),
  ...requestFields,
  /** Which: those, or all good ones that are not in each place. */
  which: z.union([z.literal('missing'), z.array(backupId).min(1)]).default('missing'),
  /** The folder for archives, as below `/`. */
  to: absolutePath.default(usualBackup.to),
  offsite: offsiteRequest,
})
export type CopyHostRequest = z.infer<typeof copyRequest>
