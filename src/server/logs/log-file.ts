// A log file as it is opened, measured and rotated. What has its name may be replaced by others at any time (logrotate).
import { closeSync, constants, fstatSync, lstatSync, mkdirSync, openSync, readSync } from 'node:fs'
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
  /** What it ends with is no whole line: whoever wrote it was killed, or found the disk full. */
  readonly torn: boolean
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
    return {
      fd,
      size: stats.size,
      begunMs,
      regular: stats.isFile(),
      torn: stats.isFile() && endsWithinLine(fd, stats.size),
    }
  } catch (error) {
    const reason = systemCode(error) === 'ELOOP' ? 'it is a symbolic link' : messageOf(error)
    throw new NetopsError('failed', { message: `cannot open the log file ${path}: ${reason}`, cause: error })
  }
}

const newline = 0x0a

function endsWithinLine(fd: number, size: number): boolean {
  if (size === 0) return false
  const last = Buffer.alloc(1)
  try {
    // The very file that was opened, whatever has its name by now.
    const reading = openSync(`/proc/self/fd/${fd}`, 'r')
    try {
      return readSync(reading, last, 0, 1, size - 1) === 1 && last[0] !== newline
    } finally {
      closeSync(reading)
    }
  } catch {
    // One that may be written and not be read: its lines are worth more than how the first of them looks.
    return false
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
