// The catalogue of a host's backups: a file for each. Who changes it has the lease `backup`; anybody of this machine may read.
import { promises as fs } from 'node:fs'
import { join } from 'node:path'
import { archiveFile, indexFile, manifestFile } from '../archive/manifest.ts'
import { backupEntry, parseBackupId, type BackupEntry } from '../model/backup.ts'
import { NetopsError, systemCode } from '../model/errors.ts'
import { damagedState, parseState, putAside, type StateSource } from '../model/state-text.ts'
import { listIfAny, syncFolder, writeFileAtomic } from '../system/files.ts'
import { refuseDistrustedHere } from '../system/folder-trust.ts'
import { makeStateFolder, readStateText } from '../system/state-file.ts'

export interface Catalogue {
  /** The newest first. */
  readonly entries: readonly BackupEntry[]
  /** Why entries cannot be read, which are therefore not among them. */
  readonly damaged: readonly NetopsError[]
}

const ending = '.json'
/** An entry whose backup is being removed: it is not there any more, and whoever comes next removes what is left of it. */
const removing = '.removing.json'

/** An entry's file in the catalogue's folder (`hostPaths(root).catalogue`). */
export const entryPath = (folder: string, id: string): string => join(folder, `${id}${ending}`)

const sourceOf = (path: string, host?: string): StateSource => ({ path, host, hint: putAside(path) })

/**
 * The text of an entry, however it was read.
 * @throws NetopsError `damaged` where it is not what netops writes there, `refused` where a newer one wrote it
 */
export function parseEntry(text: string, path: string, host?: string): BackupEntry {
  const entry = parseState(backupEntry, text, sourceOf(path, host))
  const named = path.slice(path.lastIndexOf('/') + 1, -ending.length)
  if (named === entry.id || named === `${entry.id}.removing`) return entry
  throw damagedState(sourceOf(path, host), `it is about ${entry.id}`)
}

/** The ids of the entries among file names. */
export const entryIds = (names: readonly string[]): readonly string[] =>
  names.flatMap((name) => {
    const id = name.endsWith(ending) ? name.slice(0, -ending.length) : ''
    return parseBackupId(id) === undefined ? [] : [id]
  })

/** Whichever was made later comes first; of two that were made at once, the later name. */
export const newestFirst = <Entry extends Pick<BackupEntry, 'id' | 'madeAt'>>(
  entries: readonly Entry[],
): readonly Entry[] => entries.toSorted((a, b) => Date.parse(b.madeAt) - Date.parse(a.madeAt) || (a.id < b.id ? 1 : -1))

/** What backups take of the disk, in bytes: those that are one archive under several names count once. */
export function bytesOnDisk(entries: readonly BackupEntry[]): number {
  const archives = new Map(entries.map(({ id, sameAs, bytes }) => [sameAs ?? id, bytes]))
  return [...archives.values()].reduce((sum, bytes) => sum + bytes, 0)
}

/**
 * All backups of a host. One entry that cannot be read keeps none of the others from being told.
 * @param folder `hostPaths(root).catalogue`
 */
export async function listBackups(folder: string): Promise<Catalogue> {
  const entries: BackupEntry[] = []
  const damaged: NetopsError[] = []
  for (const id of entryIds(await listIfAny(folder))) {
    try {
      const entry = await readEntry(entryPath(folder, id))
      if (entry !== undefined) entries.push(entry)
    } catch (error) {
      if (!(error instanceof NetopsError)) throw error
      damaged.push(error)
    }
  }
  return { entries: newestFirst(entries), damaged }
}

// An entry has a few KB; each copy elsewhere adds some hundred bytes.
const mostOfAnEntry = 4 << 20

async function readEntry(path: string): Promise<BackupEntry | undefined> {
  const text = await readStateText(sourceOf(path), mostOfAnEntry)
  return text === undefined ? undefined : parseEntry(text, path)
}

/**
 * One backup.
 * @throws NetopsError `failed` where there is none of that id, `damaged` where its entry is, `refused` where a newer netops wrote it
 */
export async function readBackup(folder: string, id: string): Promise<BackupEntry> {
  const entry = parseBackupId(id) === undefined ? undefined : await readEntry(entryPath(folder, id))
  if (entry !== undefined) return entry
  throw new NetopsError('failed', {
    message: `there is no backup ${id}`,
    hint: 'see which there are: netops backup list',
  })
}

/**
 * Enters a backup whose archive lies in its place, whole.
 * @throws NetopsError `refused` where others may write to the folder; `failed` where one of that id is there already
 */
export async function addBackup(folder: string, entry: BackupEntry): Promise<void> {
  await makeStateFolder(folder)
  await refuseDistrustedHere([folder])
  const path = entryPath(folder, entry.id)
  if ((await readStateText(sourceOf(path), mostOfAnEntry)) !== undefined) {
    throw new NetopsError('failed', { message: `${path} is there already; nothing is overwritten` })
  }
  await writeFileAtomic(path, textOf(entry), 0o600)
}

const textOf = (entry: BackupEntry): string => `${JSON.stringify(backupEntry.parse(entry), undefined, 2)}\n`

/**
 * Replaces what is said of a backup by something else.
 * @returns the entry as it is now
 * @throws NetopsError as {@link readBackup}; `refused` where others may write to the folder
 */
export async function updateBackup(
  folder: string,
  id: string,
  change: (entry: BackupEntry) => BackupEntry,
): Promise<BackupEntry> {
  await refuseDistrustedHere([folder])
  const entry = change(await readBackup(folder, id))
  await writeFileAtomic(entryPath(folder, id), textOf({ ...entry, id }), 0o600)
  return entry
}

/**
 * Removes a backup: from the catalogue first, then its archive, index and manifest. Whatever is killed in between is finished by
 * {@link finishRemovals}.
 * @throws NetopsError as {@link readBackup}; `refused` where others may write to one of the folders
 */
export async function removeBackup(folder: string, id: string): Promise<void> {
  await refuseDistrustedHere([folder])
  const entry = await readBackup(folder, id)
  await fs.rename(entryPath(folder, id), join(folder, `${id}${removing}`))
  await syncFolder(folder)
  await removeFiles(folder, entry)
}

async function removeFiles(folder: string, entry: BackupEntry): Promise<void> {
  const { id, folder: archives, compression } = entry
  if (await isThere(archives)) {
    await refuseDistrustedHere([archives])
    // The manifest first: without it there is no archive.
    for (const file of [manifestFile(id), archiveFile(id, compression), indexFile(id)]) {
      await fs.rm(join(archives, file), { force: true })
    }
    await syncFolder(archives)
  }
  await fs.rm(join(folder, `${id}${removing}`), { force: true })
  await syncFolder(folder)
}

const isThere = (path: string): Promise<boolean> =>
  fs.stat(path).then(
    () => true,
    (error: unknown) => {
      if (systemCode(error) === 'ENOENT') return false
      throw error
    },
  )

/**
 * Finishes what was killed while it removed backups.
 * @returns their ids
 */
export async function finishRemovals(folder: string): Promise<readonly string[]> {
  const names = (await listIfAny(folder)).filter((name) => name.endsWith(removing))
  const finished: string[] = []
  for (const name of names) {
    const id = name.slice(0, -removing.length)
    const entry = parseBackupId(id) === undefined ? undefined : await readEntry(join(folder, name))
    if (entry === undefined) continue
    await removeFiles(folder, entry)
    finished.push(id)
  }
  return finished
}
