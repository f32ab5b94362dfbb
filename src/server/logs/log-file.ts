// A log file as it is opened, measured and rotated. What has its name may be replaced by others at any time (logrotate).
import { closeSync, constants, fstatSync, lstatSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { messageOf, NetopsError, systemCode } from '../../model/errors.ts'
import { renameAway, type Rotation } from './rotation.ts'

export interface LogFile {
  readonly fd: number
  /** At its opening, in bytes. */
  readonly size: number
  /** When it was begun, in ms. */
  readonly begunMs: number
  /** False for a device or a pipe, which is never rotated. */
  readonly regular: boolean
}

// Not a link: it would let whoever may write the folder choose what the service writes to. Not blocking: a pipe without a
// reader must not stop the service.
const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK

/**
 * Opens a log file, and makes it (0640) and its folder where they are missing.
 * @throws NetopsError `failed`
 */
export function openLogFile(path: string): LogFile {
  try {
    mkdirSync(dirname(path), { recursive: true })
    const fd = openSync(path, flags, 0o640)
    const stats = fstatSync(fd)
    const begunMs = stats.size > 0 && stats.birthtimeMs > 0 ? stats.birthtimeMs : Date.now()
    return { fd, size: stats.size, begunMs, regular: stats.isFile() }
  } catch (error) {
    const reason = systemCode(error) === 'ELOOP' ? 'it is a symbolic link' : messageOf(error)
    throw new NetopsError('failed', { message: `cannot open the log file ${path}: ${reason}`, cause: error })
  }
}

/** Whether this file holds all it may: a line of that many bytes belongs into a new one. */
export function isFull(
  { begunMs, regular }: LogFile,
  rotation: Rotation | undefined,
  sizes: { readonly now: number; readonly next: number },
): boolean {
  if (rotation === undefined || !regular || sizes.now === 0) return false
  const tooOld = rotation.maxAge !== undefined && Date.now() - begunMs > rotation.maxAge
  return tooOld || sizes.now + sizes.next > rotation.maxSize
}

/**
 * Renames the file and opens a new one.
 * @throws NetopsError `failed` when that cannot be done; the file then stays open
 */
export function rotate(path: string, { fd }: LogFile): LogFile {
  const there = lstatSync(path, { throwIfNoEntry: false })
  const ours = fstatSync(fd)
  // Somebody else may have rotated it.
  if (there?.ino === ours.ino && there.dev === ours.dev) {
    try {
      renameAway(path)
    } catch (error) {
      throw new NetopsError('failed', { message: `cannot rotate ${path}: ${messageOf(error)}`, cause: error })
    }
  }
  const next = openLogFile(path)
  closeSync(fd)
  return next
}
