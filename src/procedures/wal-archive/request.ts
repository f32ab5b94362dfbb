// Archiving the log of a host's database: the request for it.
import * as z from 'zod'
import { plainPath } from '../../model/paths.ts'
import { archiveModes, slotName } from '../../postgres/archive-record.ts'
import { requestFields } from '../host-request.ts'

const hostPath = z.string().regex(plainPath, 'expected an absolute path')

export const walArchiveRequest = z.strictObject({
  procedure: z.literal('wal-archive'),
  ...requestFields,
  action: z.enum(['set-up', 'take-down']),
  mode: z.enum(archiveModes),
  /** The folder of backups; the log goes into `wal` in it. As the host has it without its root. */
  to: hostPath,
  slot: slotName,
  /** Each piece is on the disk before the server is told so. */
  synchronous: z.boolean(),
  /** Who logs in; the configuration's own account where it does not say. */
  user: z.string().min(1).max(63).exactOptional(),
  passwordFile: hostPath.exactOptional(),
  /** The folder with PostgreSQL's programs; the usual places where it does not say. */
  bin: hostPath.exactOptional(),
  /** The account that the server runs as, where it copies segments itself. */
  account: z
    .string()
    .regex(/^[a-z_][a-z0-9_-]{0,31}$/)
    .default('postgres'),
})
export type WalArchiveRequest = z.output<typeof walArchiveRequest>
