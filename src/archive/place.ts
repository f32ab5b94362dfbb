// How an archive comes to lie in its folder: made in a folder of its own beside, then given its names. Whoever is killed leaves
// that folder, by which the next one knows what to take back.
import { lstat, mkdir, readdir, rm, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { NetopsError, systemCode } from '../model/errors.ts'
import { linked, makeFolder, removeTree, syncFolder } from '../system/files.ts'
import { refuseDistrustedHere } from '../system/folder-trust.ts'
import { tryProcessLock } from '../system/process-lock.ts'
import { manifestFile, type ArchivePlace } from './manifest.ts'

const making = '.making-'
const lockName = '.making.lock'

/** A place where an archive is being made. */
export interface Making extends ArchivePlace {
  /** The folder for what is not finished; all that is in it is removed in the end. */
  readonly work: string
  /**
   * Gives files of the work folder their names in the folder, the manifest last: with it the archive is there.
   * @throws NetopsError `failed` where one of the names is taken
   */
  publish(files: readonly string[]): Promise<void>
  /** Removes what was not published. */
  close(): Promise<void>
}

/**
 * Begins an archive, after what those who were killed have left there is removed.
 * @throws NetopsError `locked` where somebody else makes an archive there; `refused` where others may write to the folder
 */
export async function beginMaking(place: ArchivePlace): Promise<Making> {
  const { folder, name } = place
  await makeFolder(folder, 0o700)
  await refuseDistrustedHere([folder])
  const lock = await tryProcessLock(join(folder, lockName))
  if (lock === undefined) {
    throw new NetopsError('locked', { message: `another process makes an archive in ${folder}` })
  }
  const work = join(folder, making + name)
  try {
    await clearLitter(folder)
    await mkdir(work, 0o700)
  } catch (error) {
    await lock.release()
    throw error
  }
  return {
    ...place,
    work,
    async publish(files) {
      await syncFolder(work)
      for (const file of files) {
        if (await linked(join(work, file), join(folder, file))) continue
        throw new NetopsError('failed', { message: `${join(folder, file)} is there already; nothing is overwritten` })
      }
      await syncFolder(folder)
    },
    async close() {
      try {
        await takeBack(folder, name)
      } finally {
        await lock.release()
      }
    },
  }
}

/** Removes what making archives has left in a folder, where nobody makes one. */
async function clearLitter(folder: string): Promise<void> {
  for (const entry of await readdir(folder)) {
    if (entry.startsWith(making)) await takeBack(folder, entry.slice(making.length))
    // A lock's tickets and claims (system/process-lock.ts): whoever is here has the lock.
    else if (entry.startsWith(`${lockName}.`)) await rm(join(folder, entry), { force: true })
  }
}

/** What was given a name before the manifest was is no archive: it is taken away again, and what was not finished with it. */
async function takeBack(folder: string, name: string): Promise<void> {
  const work = join(folder, making + name)
  const isWhole = await isSame(work, folder, manifestFile(name))
  const files = isWhole ? [] : await readdir(work)
  for (const file of files) {
    // By the inode: a file of that name that was there before is somebody else's.
    if (await isSame(work, folder, file)) await unlink(join(folder, file))
  }
  await syncFolder(folder)
  // The manifest last: by it whoever comes after one that was killed just now knows that what has a name is to keep it.
  for (const file of isWhole ? await readdir(work) : []) {
    if (file !== manifestFile(name)) await rm(join(work, file), { recursive: true, force: true })
  }
  if (isWhole) await syncFolder(work)
  await removeTree(work)
}

async function isSame(work: string, folder: string, file: string): Promise<boolean> {
  const [made, named] = await Promise.all([inodeOf(join(work, file)), inodeOf(join(folder, file))])
  return made !== undefined && made === named
}

async function inodeOf(path: string): Promise<string | undefined> {
  try {
    const { dev, ino } = await lstat(path, { bigint: true })
    return `${dev}:${ino}`
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}
