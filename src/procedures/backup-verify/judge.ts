// The end of a verification: figures for whoever watches, and what was found.
import * as z from 'zod'
import { listBackups } from '../../backups/catalogue.ts'
import { backupId } from '../../model/backup.ts'
import type { WorkEffect } from '../../model/effects.ts'
import { NetopsError } from '../../model/errors.ts'
import { writeFigures } from '../backup/conclude.ts'
import { defineWork } from '../work.ts'

const input = z.strictObject({
  catalogue: z.string(),
  ids: z.array(backupId),
  /** What of the catalogue cannot be read is damage too. */
  whole: z.literal('catalogue too').exactOptional(),
  textfile: z.string().nullable(),
})
type JudgeInput = z.infer<typeof input>

export const judgeWork = defineWork({
  name: 'backup-judge',
  input,
  changes: false,
  show: () => [],
  async run({ catalogue, ids, whole, textfile }) {
    const unwritten = textfile === null ? undefined : await writeFigures(catalogue, textfile)
    const { entries, damaged } = await listBackups(catalogue)
    const found = [
      ...(whole === undefined ? [] : damaged.map(({ message }) => message)),
      ...entries.flatMap(({ id, damage }) =>
        damage === null || !ids.includes(id) ? [] : damage.what.map((what) => `${id}: ${what}`),
      ),
    ]
    if (found.length > 0) {
      throw new NetopsError('damaged', {
        message: found.join('\n'),
        hint: 'make a new one now, which reads all files anew: netops backup; no rule counts a damaged one',
      })
    }
    if (unwritten !== undefined) throw new NetopsError('failed', { message: unwritten })
    return { good: ids.length }
  },
})

export const judging = (wanted: JudgeInput): WorkEffect => ({ kind: 'work', work: judgeWork.name, input: wanted })
