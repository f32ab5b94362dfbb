// Restoring a backup on one host: the request for it, and what a host says of a backup before anything is decided.
import * as z from 'zod'
import { restoreLook } from '../../backups/restore-look.ts'
import { sha256Hex } from '../../model/sha256.ts'
import { endpoints } from '../deploy/request.ts'
import { requestFields } from '../host-request.ts'

export const restoreRequest = z.strictObject({
  procedure: z.literal('restore'),
  ...requestFields,
  /** The netops on the host that looks at archives there. */
  looker: z.string(),
  backup: z.strictObject({ id: z.string(), manifestSha256: sha256Hex }),
  /** The folder in which archives were looked for, where that was not the host's catalogue. */
  from: z.string().exactOptional(),
  /** `config`, `state` or absolute paths of the host; everything where there are none. */
  only: z.array(z.string()),
  minHealthyMs: z.number(),
  healthyDeadlineMs: z.number(),
})
export type RestoreRequest = z.infer<typeof restoreRequest>

/** What the archive's configuration says, where it is restored. */
const archivedConfig = z.strictObject({
  sha256: sha256Hex,
  endpoints,
  driver: z.enum(['sqlite', 'postgres']),
  /** Absolute paths of files that it names. */
  names: z.array(z.string()),
})

/** What `netops host restore-look` says of one backup and of the host. */
export const hostLook = z.strictObject({
  id: z.string(),
  /** How sure it is that it is whole, for people. */
  proof: z.string(),
  /** The data schema of its state; null where nobody noted it. */
  dataSchema: z.int().nullable(),
  config: archivedConfig.nullable(),
  look: restoreLook,
})
export type HostLook = z.infer<typeof hostLook>
