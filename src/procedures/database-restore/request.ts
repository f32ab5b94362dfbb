// Restoring a database on a host: the request for it.
import * as z from 'zod'
import { plainPath } from '../../model/paths.ts'
import { restoreTarget } from '../../postgres/restore-facts.ts'
import { requestFields } from '../host-request.ts'

const hostPath = z.string().regex(plainPath, 'expected an absolute path')

export const databaseRestoreRequest = z.strictObject({
  procedure: z.literal('database-restore'),
  ...requestFields,
  /** The base backup; the newest that is early enough where it does not say. */
  backup: z.string().exactOptional(),
  /** The cluster's folder, as it is on the host, root and all. */
  into: hostPath,
  port: z.int().min(1).max(65_535),
  account: z.string().regex(/^[a-z_][a-z0-9_-]{0,31}$/),
  /** Where the log lies; where the archive of this host has it, if it does not say. */
  wal: hostPath.exactOptional(),
  bin: hostPath.exactOptional(),
  target: restoreTarget,
  promote: z.boolean(),
  withinMs: z.int().min(1000),
})
export type DatabaseRestoreRequest = z.output<typeof databaseRestoreRequest>
