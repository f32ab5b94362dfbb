// Files of netops' own: replaced atomically and durably, read without surprises.
import { constants, createReadStream, promises as fs } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { messageOf, NetopsError, systemCode } from '../model/errors.ts'
import { damagedState, putAside } from '../model/state-text.ts'
import { readFileUpTo, readFileUpToNow } from './bounded.ts'

// Loaded when it is first used: most commands only read files, and loading it takes a tenth of their start.
const crypto = () => process.getBuiltinModule('node:crypto')

/** Makes what a folder lists survive a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await fs.open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/**
 * Makes a folder, and those above it with 0755: with exactly that mode, whatever the umask is. One that is there stays as it is.
 * @param mode permission bits
 * @returns whether it was made
 */
export async function makeFolder(path: string, mode = 0o755): Promise<boolean> {
  try {
    await fs.mkdir(path, mode)
  } catch (error) {
    if (systemCode(error) === 'EEXIST' && (await isFolder(path))) return false
    if (systemCode(error) !== 'ENOENT' || dirname(path) === path) throw error
    await makeFolder(dirname(path))
    return makeFolder(path, mode)
  }
  // mkdir(2) takes away what the umask says.
  await fs.chmod(path, mode)
  return true
}

/** Whether a folder of that name is there, or a link to one. */
export const isFolder = (path: string): Promise<boolean> =>
  fs.stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )

/**
 * Gives a file a second name, as a claim that one alone can have (link(2)).
 * @returns false where the name is taken
 */
export async function linked(from: string, to: string): Promise<boolean> {
  try {
    await fs.link(from, to)
    return true
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false
    throw error
  }
}

/**
 * Removes what lies at a path with all below it, fine where nothing does. The way to it must be nobody else's; from there on no
 * link is followed, whoever may write meanwhile.
 */
export async function removeTree(path: string): Promise<void> {
  const folder = await openFolder(dirname(path), 'links too')
  if (folder === undefined) return
  try {
    await removeFrom(folder, Buffer.from(basename(path)))
  } finally {
    await folder.close()
  }
}

/** @param name its bytes, which need not be UTF-8 */
async function removeFrom(folder: FileHandle, name: Buffer): Promise<void> {
  // proc(5): whatever its name leads to by now, this is the folder that was opened.
  const path = Buffer.concat([Buffer.from(`/proc/self/fd/${folder.fd}/`), name])
  try {
    await fs.unlink(path)
    return
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return
    if (systemCode(error) !== 'EISDIR') throw error
  }
  const below = await openFolder(path)
  if (below === undefined) return
  try {
    for (const entry of await fs.readdir(`/proc/self/fd/${below.fd}`, 'buffer')) await removeFrom(below, entry)
  } finally {
    await below.close()
  }
  await fs.rmdir(path).catch((error: unknown) => {
    if (systemCode(error) !== 'ENOENT') throw error
  })
}

async function openFolder(path: string | Buffer, follow?: 'links too'): Promise<FileHandle | undefined> {
  const how = constants.O_RDONLY | constants.O_DIRECTORY
  try {
    return await fs.open(path, follow === undefined ? how | constants.O_NOFOLLOW : how)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}

/**
 * Replaces a file as a whole: a reader sees the old text or the new, also after a power cut.
 * @param mode permission bits, e.g. 0o600, set before the file gets its name
 */
export async function writeFileAtomic(path: string, text: string, mode = 0o644): Promise<void> {
  const temporary = join(dirname(path), `.${crypto().randomBytes(6).toString('hex')}.tmp`)
  try {
    const handle = await fs.open(temporary, 'wx', mode)
    try {
      await handle.writeFile(text)
      // open(2) takes away what the umask says.
      await handle.chmod(mode)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await fs.rename(temporary, path)
  } catch (error) {
    await fs.rm(temporary, { force: true })
    throw error
  }
  await syncFolder(dirname(path))
}

// As much as one text can hold, less what it takes to say more about it (buffer.constants.MAX_STRING_LENGTH).
const mostText = 500_000_000

/**
 * A file's text, or undefined where there is no such file.
 * @param most how many bytes it may hold
 * @throws NetopsError `failed` where it holds more
 */
export async function readTextIfAny(path: string, most = mostText): Promise<string | undefined> {
  try {
    return (await readFileUpTo(path, most)).toString('utf8')
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return undefined
    throw named(path, error)
  }
}

/** Node says of a folder only that it is one (EISDIR), and of a broken disk that it is (EIO): not which file that is. */
const named = (path: string, error: unknown): unknown =>
  ['EISDIR', 'EIO'].includes(systemCode(error) ?? '')
    ? new NetopsError('failed', { message: `cannot read ${path}: ${messageOf(error)}`, cause: error })
    : error

/**
 * As {@link readTextIfAny}, at once: for small files that everything else waits for. On a busy machine each turn of the event
 * loop is a wait for a processor, and reading a file takes four.
 */
export function readTextIfAnyNow(path: string, most = mostText): string | undefined {
  try {
    return readFileUpToNow(path, most).toString('utf8')
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return undefined
    throw named(path, error)
  }
}

/**
 * A folder's names in order, or none where there is no such folder.
 * @throws NetopsError `damaged` where something else lies in its place
 */
export async function listIfAny(path: string): Promise<readonly string[]> {
  try {
    return (await fs.readdir(path)).sort()
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return []
    if (systemCode(error) === 'ENOTDIR') throw damagedState({ path, hint: putAside(path) }, 'it is no folder', error)
    throw error
  }
}

/** A file's SHA-256 as 64 hexadecimal digits. */
export async function sha256OfFile(path: string): Promise<string> {
  const hash = crypto().createHash('sha256')
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash)
  return hash.digest('hex')
}

export const sha256OfText = (text: string): string => crypto().createHash('sha256').update(text).digest('hex')

/** Whether a file of that name is there, or a link to one. */
export const isFile = (path: string): Promise<boolean> =>
  fs.stat(path).then(
    (found) => found.isFile(),
    () => false,
  )
