// Files of netops' own: replaced atomically and durably, read without surprises.
import { createReadStream, promises as fs } from 'node:fs'
import { dirname, join } from 'node:path'
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
 * Replaces a file as a whole: a reader sees the old text or the new, also after a power cut.
 * @param mode permission bits, e.g. 0o600, set before the file gets its name
 */
export async function writeFileAtomic(path: string, text: string, mode = 0o644): Promise<void> {
  const temporary = join(dirname(path), `.${crypto().randomBytes(6).toString('hex')}.tmp`)
  try {
    const handle = await fs.open(temporary, 'wx', mode)
    try {
      await handle.writeFile(text)
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
