// Verifying the backups of a host: the request for it.
import * as z from 'zod'
import { backupId } from '../../model/backup.ts'
import { absolutePath } from '../../model/path-values.ts'
import { lookedAt } from '../backup/request.ts'
import { requestFields } from '../host-request.ts'

export const verifyRequest = z.strictObject({
  procedure: z.literal('backup-verify'),
  ...requestFields,
  /** Which: those, all, or the newest of each kind. */
  which: z.union([z.literal('all'), z.literal('newest'), z.array(backupId).min(1)]).default('newest'),
  /** Which share of each is read, from 0 to 1. */
  share: z.number().gt(0).max(1).default(1),
  /** The folder for node_exporter's textfile, as below `/`; none is written without it. */
  textfile: absolutePath.exactOptional(),
  lookedAt,
})
export type VerifyRequest = z.infer<typeof verifyRequest>
