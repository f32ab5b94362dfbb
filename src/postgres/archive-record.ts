// What netops keeps of how the log of a host's database is archived: enough to watch it, to restore from it, and to end it.
import * as z from 'zod'
import { loginSchema } from './login.ts'

/** `stream`: a receiver of this host, in real time. `archive_command`: the server copies each segment when it is full. */
export const archiveModes = ['stream', 'archive_command'] as const

/** PostgreSQL takes lower case letters, digits and underscores (documentation, Replication Slots). */
export const slotName = z
  .string()
  .regex(/^[a-z0-9_]{1,63}$/, 'expected 1 to 63 lower case letters, digits and underscores')

export const archiveRecord = z.strictObject({
  schema: z.literal('netops/wal-archive/v1'),
  mode: z.enum(archiveModes),
  /** Where the segments lie: absolute on the host. */
  folder: z.string().startsWith('/'),
  slot: slotName,
  synchronous: z.boolean(),
  login: loginSchema,
  /** The folder with PostgreSQL's programs. */
  bin: z.string().startsWith('/'),
  segmentBytes: z.int().min(1 << 20),
  /** Which cluster it is; initdb gives each another one. */
  systemId: z.string(),
})
export type ArchiveRecord = z.output<typeof archiveRecord>
