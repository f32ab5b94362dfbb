// Puts right what was killed between an archive and its entry in the catalogue, for whoever has the lease.
import { promises as fs } from 'node:fs'
import { join } from 'node:path'
import { readManifest } from '../archive/manifest.ts'
import { parseBackupId } from '../model/backup.ts'
import { NetopsError } from '../model/errors.ts'
import { listIfAny } from '../system/files.ts'
import { addBackup, entryIds, finishRemovals } from './catalogue.ts'
import { checkpointIn, entryFor, nothingBeside } from './entry.ts'

export interface Settled {
  /** Archives that were whole and not in the catalogue: now they are. */
  readonly adopted: readonly string[]
  /** Backups that were half removed: now they are gone. */
  readonly removed: readonly string[]
}

const manifestEnding = '.manifest.json'
// system/files.ts, writeFileAtomic.
const temporary = /^\.[0-9a-f]{12}\.tmp$/

/**
 * @param catalogue the catalogue's folder
 * @param archives the folder of archives
 * @throws NetopsError `refused` where others may write to one of them
 */
export async function settleBackups(catalogue: string, archives: string): Promise<Settled> {
  const removed = await finishRemovals(catalogue)
  const names = await listIfAny(catalogue)
  for (const name of names.filter((one) => temporary.test(one))) await fs.rm(join(catalogue, name), { force: true })
  const known = new Set(entryIds(names))
  const adopted: string[] = []
  for (const name of await listIfAny(archives)) {
    const id = name.endsWith(manifestEnding) ? name.slice(0, -manifestEnding.length) : ''
    if (parseBackupId(id) === undefined || known.has(id)) continue
    if (await adopt(catalogue, archives, id)) adopted.push(id)
  }
  return { adopted, removed }
}

async function adopt(catalogue: string, archives: string, id: string): Promise<boolean> {
  try {
    const manifest = await readManifest({ folder: archives, name: id })
    const checkpoint = await checkpointIn(archives, id)
    await addBackup(catalogue, await entryFor({ folder: archives, manifest }, { ...nothingBeside, checkpoint }))
    return true
  } catch (error) {
    // Somebody else's file, or damage: nobody counts on what is not in the catalogue.
    if (error instanceof NetopsError && (error.code === 'damaged' || error.code === 'refused')) return false
    throw error
  }
}
