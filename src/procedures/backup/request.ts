// Backing up a host: the request for it. Every field has a default, so that a timer needs to say nothing.
import * as z from 'zod'
import { usualBackup, type BackupSettings } from '../../model/backup-config.ts'
import { offsiteRequest, placesOf, type OffsiteRequest } from '../../model/offsite.ts'
import { absolutePath } from '../../model/path-values.ts'
import { backupKinds } from '../../model/backup.ts'
import { requestFields } from '../host-request.ts'

const count = z.int().min(0)

/** What is kept, with durations in ms. */
export const keepRules = z.strictObject({
  withinMs: z.number().min(0),
  ...{ last: count, hourly: count, daily: count, weekly: count, monthly: count },
})
export type KeepRules = z.infer<typeof keepRules>

/** What a fleet file says of what is kept, as a request carries it. */
export const keepOf = ({ within, ...counts }: BackupSettings['keep']): KeepRules => ({ withinMs: within, ...counts })

/**
 * What a fleet file says of copies, as a request for a host carries it.
 * @param host its name in the fleet
 */
export function offsiteOf(
  { offsite, encrypt_to: recipients, s3 }: Pick<BackupSettings, 'offsite' | 'encrypt_to' | 's3'>,
  host: string,
): { readonly offsite?: OffsiteRequest } {
  const places = [...placesOf(offsite)]
  return places.length === 0 ? {} : { offsite: { places, as: host, recipients: [...recipients], s3 } }
}

/** The host's clock when somebody looked at it, in ms since 1970: ids and ages count from it. Now, where nobody did. */
export const lookedAt = z.number().exactOptional()

export const backupRequest = z.strictObject({
  procedure: z.literal('backup'),
  ...requestFields,
  /** Absolute, as below `/`: below another root they are looked for there. */
  paths: z
    .array(absolutePath)
    .min(1)
    .default([...usualBackup.paths]),
  exclude: z.array(z.string().min(1)).default([...usualBackup.exclude]),
  /** The folder for archives, as below `/`. */
  to: absolutePath.default(usualBackup.to),
  compression: z.enum(['gzip', 'zstd']).default(usualBackup.compression),
  /** One of the two kinds alone; both where it does not say, as far as there are both. */
  only: z.enum(backupKinds).exactOptional(),
  keep: keepRules.default(keepOf(usualBackup.keep)),
  /** The folder for node_exporter's textfile, as below `/`; none is written without it. */
  textfile: absolutePath.exactOptional(),
  /** Copies elsewhere, after it was read back; none without it. */
  offsite: offsiteRequest.exactOptional(),
  lookedAt,
})
export type BackupRequest = z.infer<typeof backupRequest>
