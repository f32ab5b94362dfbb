// Reads backups back, one after the other, and notes what was found.
import * as z from 'zod'
import type { ArchiveProgress } from '../../archive/progress.ts'
import { listBackups } from '../../backups/catalogue.ts'
import { verifyBackup } from '../../backups/verify.ts'
import { backupId, type BackupEntry } from '../../model/backup.ts'
import type { WorkEffect } from '../../model/effects.ts'
import { NetopsError } from '../../model/errors.ts'
import { defineWork } from '../work.ts'

const input = z.strictObject({
  catalogue: z.string(),
  ids: z.array(backupId),
  /** Only a part of each is read; which, the seed decides. */
  sample: z.strictObject({ share: z.number().gt(0).max(1), seed: z.int() }).exactOptional(),
  /** What was verified already is left alone, as the same bytes under another name; whatever else was not, is read too. */
  only: z.literal('unverified').exactOptional(),
})
type VerifyInput = z.infer<typeof input>

export const verifyWork = defineWork({
  name: 'backup-verify',
  input,
  changes: false,
  show: ({ ids, sample }) =>
    ids.map(
      (id) => `(read ${sample === undefined ? 'every byte' : `${Math.round(sample.share * 1000) / 10}%`} of ${id})`,
    ),
  async run({ catalogue, ids, sample, only }, { signal, isDone, done, progress }) {
    const { entries } = await listBackups(catalogue)
    const known = new Map(entries.map((entry) => [entry.id, entry]))
    const missing = ids.filter((id) => !known.has(id))
    const chosen =
      only === undefined
        ? ids.flatMap((id) => known.get(id) ?? [])
        : entries.filter(({ verified, damage }) => verified === null && damage === null)
    if (missing.length > 0) {
      throw new NetopsError('failed', {
        message: `there is no backup ${missing.join(', ')}`,
        hint: 'see which there are: netops backup list',
      })
    }
    const found: BackupEntry[] = []
    const total = chosen.reduce((sum, { rawBytes }) => sum + rawBytes * (sample?.share ?? 1), 0)
    let before = 0
    for (const entry of chosen) {
      if (signal.aborted) break
      const onProgress = (at: ArchiveProgress): void => {
        if (at.phase === 'reading') progress(before + at.bytes, total, 'bytes')
      }
      found.push(
        isDone(entry.id)
          ? entry
          : await verifyBackup({ catalogue, entry, sample }, { signal, onProgress, now: () => new Date() }),
      )
      done(entry.id)
      before += entry.rawBytes * (sample?.share ?? 1)
    }
    return {
      verified: found.flatMap(({ id, verified, damage }) =>
        damage === null && verified !== null ? [{ id, ...verified }] : [],
      ),
      damaged: found.flatMap(({ id, damage }) => (damage === null ? [] : [{ id, what: damage.what }])),
    }
  },
})

export const verifying = (wanted: VerifyInput): WorkEffect => ({ kind: 'work', work: verifyWork.name, input: wanted })
