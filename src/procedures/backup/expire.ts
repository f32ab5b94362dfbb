// Removes backups that no rule keeps.
import * as z from 'zod'
import { bytesOnDisk, finishRemovals, listBackups, removeBackup } from '../../backups/catalogue.ts'
import { judgeExpiry } from '../../backups/expiry.ts'
import { backupId } from '../../model/backup.ts'
import type { WorkEffect } from '../../model/effects.ts'
import { defineWork } from '../work.ts'
import { keepRules } from './request.ts'

const input = z.strictObject({
  catalogue: z.string(),
  keep: keepRules,
  /** The clock, in ms since 1970. */
  nowMs: z.number(),
  /** Exactly these were decided on before; without it, whatever the rules say by then. */
  ids: z.array(z.strictObject({ id: backupId, reason: z.string() })).exactOptional(),
})
type ExpireInput = z.infer<typeof input>

export const expireWork = defineWork({
  name: 'backup-expire',
  input,
  changes: true,
  show: ({ ids }) =>
    ids === undefined
      ? ['(whichever the rules do not keep by then)']
      : ids.map(({ id, reason }) => `rm ${id}.* (${reason})`),
  async run({ catalogue, keep, nowMs, ids }, { signal, isDone, done, progress }) {
    const finished = await finishRemovals(catalogue)
    const { entries } = await listBackups(catalogue)
    // Judged once more: what is the last good one by now stays, whatever was decided before.
    const gone = judgeExpiry(entries, keep, nowMs).filter(
      (one) => !one.kept && (ids === undefined || ids.some(({ id }) => id === one.id)),
    )
    const removed: string[] = [...finished]
    for (const [index, { id }] of gone.entries()) {
      if (signal.aborted) break
      progress(index, gone.length)
      if (!isDone(id)) await removeBackup(catalogue, id)
      done(id)
      removed.push(id)
    }
    const kept = entries.filter(({ id }) => !removed.includes(id))
    return { removed, freedBytes: bytesOnDisk(entries) - bytesOnDisk(kept), kept: kept.length }
  },
})

export const expiring = (wanted: ExpireInput): WorkEffect => ({ kind: 'work', work: expireWork.name, input: wanted })
