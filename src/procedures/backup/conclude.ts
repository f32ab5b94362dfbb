// The end of a backup: figures for whoever watches, and whether all is in it that should be.
import { join } from 'node:path'
import * as z from 'zod'
import { readManifest } from '../../archive/manifest.ts'
import { listBackups, readBackup } from '../../backups/catalogue.ts'
import { figuresFile, figuresText } from '../../backups/figures.ts'
import { backupId, type BackupEntry } from '../../model/backup.ts'
import type { WorkEffect } from '../../model/effects.ts'
import { messageOf, NetopsError } from '../../model/errors.ts'
import { quoteCommand } from '../../model/quote.ts'
import { writeFileAtomic } from '../../system/files.ts'
import { refuseDistrustedHere } from '../../system/folder-trust.ts'
import { defineWork } from '../work.ts'

const input = z.strictObject({
  catalogue: z.string(),
  id: backupId,
  /** The folder for node_exporter's textfile; null where none is asked for. */
  textfile: z.string().nullable(),
})
type ConcludeInput = z.infer<typeof input>

const mostNamed = 10

export const concludeWork = defineWork({
  name: 'backup-conclude',
  input,
  changes: false,
  show: ({ textfile }) => (textfile === null ? [] : [`> ${quoteCommand([join(textfile, figuresFile)])}`]),
  async run({ catalogue, id, textfile }) {
    const unwritten = textfile === null ? undefined : await writeFigures(catalogue, textfile)
    const entry = await readBackup(catalogue, id)
    if (entry.damage !== null) throw brokenAtOnce(id, entry.damage.what)
    const lacks = await lacking(entry)
    if (lacks.length > 0 || unwritten !== undefined) {
      throw new NetopsError('partly', {
        message: [
          `${id} was made and read back, but not all is as it should be:`,
          ...lacks,
          ...(unwritten === undefined ? [] : [unwritten]),
        ].join('\n'),
        hint: `see all of it: ${quoteCommand(['netops', 'backup', 'show', id])}`,
      })
    }
    return { id }
  },
})

export const concluding = (wanted: ConcludeInput): WorkEffect => ({
  ...{ kind: 'work', work: concludeWork.name, input: wanted },
})

/** What was written was not what was read back: a disk or memory is failing. */
const brokenAtOnce = (id: string, what: readonly string[]): NetopsError =>
  new NetopsError('damaged', {
    message: [`${id} was made, and is damaged:`, ...what].join('\n'),
    hint: 'what was backed up before is as it was; look after the disk (dmesg, smartctl), then: netops backup',
  })

/** What is not in a backup as it should be, a line each. */
async function lacking({ id, folder, troubles }: BackupEntry): Promise<readonly string[]> {
  const count = Object.values(troubles).reduce((sum, one) => sum + one, 0)
  if (count === 0) return []
  const manifest = await readManifest({ folder, name: id })
  const named = manifest.troubles.slice(0, mostNamed).map(({ name, what, reason }) => `${name}: ${what} (${reason})`)
  return count > named.length ? [...named, `and ${count - named.length} more`] : named
}

/**
 * Writes the figures.
 * @returns why they could not be written
 */
export async function writeFigures(catalogue: string, folder: string): Promise<string | undefined> {
  try {
    await refuseDistrustedHere([folder])
    const { entries } = await listBackups(catalogue)
    await writeFileAtomic(join(folder, figuresFile), figuresText(entries))
    return undefined
  } catch (error) {
    return `the figures for node_exporter were not written: ${messageOf(error)}`
  }
}
