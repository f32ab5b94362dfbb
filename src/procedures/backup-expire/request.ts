// Removing backups that no rule keeps: the request for it.
import * as z from 'zod'
import { usualBackup } from '../../model/backup-config.ts'
import { keepOf, keepRules, lookedAt } from '../backup/request.ts'
import { requestFields } from '../host-request.ts'

export const expireRequest = z.strictObject({
  procedure: z.literal('backup-expire'),
  ...requestFields,
  keep: keepRules.default(keepOf(usualBackup.keep)),
  lookedAt,
})
export type ExpireRequest = z.infer<typeof expireRequest>
