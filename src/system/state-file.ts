// Reads netops' own state files, whatever lies in their places: what cannot be read is told with its name, at once and bounded.
import { constants, promises as fs } from 'node:fs'
import type * as z from 'zod'
import { messageOf, NetopsError, systemCode } from '../model/errors.ts'
import { damagedState, parseState, putAside, type StateSource } from '../model/state-text.ts'
import { formatBytes } from '../model/units.ts'
import { makeFolder } from './files.ts'

// A record of tuning holds the files that it replaced; all others are a few KB.
const mostBytes = 16 << 20

/** As much as a journal can have: a record of each step of thousands of hosts. */
export const mostOfAJournal = 512 << 20

// What a broken disk or something else in a file's place makes of reading it (open(2), read(2)).
const damage = ['EIO', 'EISDIR', 'ELOOP', 'ENXIO', 'ENODEV', 'EUCLEAN', 'EBADMSG']

/**
 * A state file's bytes, or undefined where there is none.
 * @throws NetopsError `damaged` for what is no file, is larger than netops makes it, or cannot be read
 */
export const readStateBytes = (source: StateSource, atMost = mostBytes): Promise<Buffer | undefined> =>
  withStateFile(source, async (handle, size) => {
    if (size > atMost) throw damagedState(source, `it has ${formatBytes(size)}, more than netops writes`)
    // It may grow meanwhile; what was there when it was opened is read.
    const bytes = Buffer.allocUnsafe(size)
    let read = 0
    while (read < bytes.length) {
      const { bytesRead } = await handle.read(bytes, read, bytes.length - read, read)
      if (bytesRead === 0) break
      read += bytesRead
    }
    return bytes.subarray(0, read)
  })

/**
 * Opens a state file to read it; returns undefined where there is none.
 * @throws NetopsError `damaged` for what is no file or cannot be read
 */
export async function withStateFile<T>(
  source: StateSource,
  read: (handle: fs.FileHandle, size: number) => Promise<T>,
): Promise<T | undefined> {
  try {
    // Without waiting: a pipe in its place would be opened when somebody writes to it.
    const handle = await fs.open(source.path, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      const found = await handle.stat()
      if (!found.isFile()) throw damagedState(source, found.isDirectory() ? 'it is a folder' : 'it is no file')
      return await read(handle, found.size)
    } finally {
      await handle.close()
    }
  } catch (error) {
    const code = error instanceof NetopsError ? undefined : systemCode(error)
    if (code === undefined) throw error
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    if (damage.includes(code)) throw damagedState(source, messageOf(error), error)
    const { path, host } = source
    throw new NetopsError('failed', { host, message: `cannot read ${path}: ${messageOf(error)}`, cause: error })
  }
}

/**
 * Makes a folder for state files unless it is there; returns whether it was made.
 * @throws NetopsError `damaged` where something else lies in its place
 */
export async function makeStateFolder(folder: string): Promise<boolean> {
  try {
    return await makeFolder(folder, 0o700)
  } catch (cause) {
    const code = systemCode(cause)
    if (code !== 'EEXIST' && code !== 'ENOTDIR') throw cause
    throw damagedState({ path: folder, hint: putAside(folder) }, 'it is no folder', cause)
  }
}

/** As {@link readStateBytes}, as a text. */
export const readStateText = async (source: StateSource, atMost = mostBytes): Promise<string | undefined> =>
  (await readStateBytes(source, atMost))?.toString('utf8')

/**
 * The value that a state file holds, or undefined where there is none.
 * @throws NetopsError `damaged` where it is not what netops writes, `refused` where a newer one wrote it
 */
export async function readState<T>(schema: z.ZodType<T>, source: StateSource): Promise<T | undefined> {
  const text = await readStateText(source)
  return text === undefined ? undefined : parseState(schema, text, source)
}
