// Reads a backup back and notes in the catalogue what was found.
import { join } from 'node:path'
import { manifestFile, manifestHash } from '../archive/manifest.ts'
import type { OnProgress } from '../archive/progress.ts'
import { verifyArchive } from '../archive/verify.ts'
import type { BackupEntry, BackupVerification } from '../model/backup.ts'
import { updateBackup } from './catalogue.ts'

export interface VerifyRequest {
  /** The catalogue's folder. */
  readonly catalogue: string
  readonly entry: BackupEntry
  /** Which share of it is read, from 0 to 1; which part, the seed decides. Without it, all. */
  readonly sample?: { readonly share: number; readonly seed: number } | undefined
}

export interface VerifyTools {
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: OnProgress | undefined
  readonly now: () => Date
}

// The catalogue holds as many.
const mostNoted = 20
const longestNote = 500

/**
 * Verifies a backup: archive, index and manifest as the catalogue knows them. A missing archive is damage.
 * @returns the entry as it is now in the catalogue: `damage` says what was found
 * @throws NetopsError `refused` where a newer netops made it, `interrupted` when aborted
 */
export async function verifyBackup(
  { catalogue, entry, sample }: VerifyRequest,
  { signal, onProgress, now }: VerifyTools,
): Promise<BackupEntry> {
  const { folder, id } = entry
  const { manifest, damages, unlisted } = await verifyArchive({ folder, name: id }, { sample, signal, onProgress })
  const path = join(folder, manifestFile(id))
  const isOther = manifest !== undefined && (await manifestHash({ folder, name: id })) !== entry.manifestSha256
  const found = [...(isOther ? [`the manifest ${path} is another one than the catalogue knows`] : []), ...damages]
  const at = now().toISOString()
  if (found.length > 0) {
    const more = found.length - mostNoted + unlisted
    const what = found.slice(0, mostNoted).map((text) => text.slice(0, longestNote))
    const damage = { at, what: more > 0 ? [...what, `and ${more} more`] : what }
    return updateBackup(catalogue, id, (old) => ({ ...old, damage }))
  }
  const verified: BackupVerification = { at, how: 'stored', share: sample?.share ?? 1 }
  return updateBackup(catalogue, id, (old) => noteWhole(old, verified))
}

/**
 * An entry after it was found whole. What was found wrong is only gone once all of it was read, and a part that was read says
 * less than all of it.
 */
export function noteWhole(entry: BackupEntry, verified: BackupVerification): BackupEntry {
  const isAll = verified.share === 1
  const isMore = entry.verified === null || verified.share >= entry.verified.share
  return { ...entry, verified: isMore ? verified : entry.verified, damage: isAll ? null : entry.damage }
}
