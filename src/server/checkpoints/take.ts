// Takes one checkpoint (guide: StateManager): copy, verify, fsync, hash, rename, fsync of the folder. In a process of its own:
// a copy inside SQLite can be given up by a signal alone, and must not hold up anybody who serves.
import { promises as fs, statSync } from 'node:fs'
import { setPriority } from 'node:os'
import { basename, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { messageOf, NetopsError } from '../../model/errors.ts'
import { leastFreeDisk } from '../../model/free-disk.ts'
import { formatBytes } from '../../model/units.ts'
import { makeFolder, sha256OfFile, syncFolder } from '../../system/files.ts'
import { tryProcessLock } from '../../system/process-lock.ts'
import {
  checkpointName,
  hashPath,
  listCheckpoints,
  lockName,
  removeLeftovers,
  removeOld,
  temporaryPrefix,
} from './files.ts'
import type { TakenCheckpoint } from '../../model/checkpoint.ts'
import type { CheckpointOrder } from './order.ts'

// Behind whoever serves, for the processor; the disk's queue is fair by itself (ioprio_set(2): best effort follows nice).
const niceness = 10
// Opening needs a lock for moments; a write of another process may have it.
const lockTimeoutMs = 10_000

/** As {@link takeCheckpoint}, behind everybody else who wants the processor: for a process that does nothing else. */
export function takeCheckpointBehind(order: CheckpointOrder): Promise<TakenCheckpoint> {
  setPriority(niceness)
  return takeCheckpoint(order)
}

/**
 * Copies the database as it is at one moment while others write to it, and removes what is older than is to be kept.
 * @throws NetopsError `locked` while another process takes one, `damaged` where the copy is not whole, `failed` otherwise;
 * then nothing was removed
 */
export async function takeCheckpoint({ database, folder, keep }: CheckpointOrder): Promise<TakenCheckpoint> {
  const begun = performance.now()
  await makeFolder(folder, 0o750)
  const lock = await tryProcessLock(join(folder, lockName))
  if (lock === undefined) {
    throw new NetopsError('locked', {
      message: `another process takes a checkpoint in ${folder}`,
      hint: 'try again when it has ended',
    })
  }
  try {
    await removeLeftovers(folder)
    const temporary = join(folder, `${temporaryPrefix}${process.pid}.db`)
    try {
      await refuseWithoutRoom(folder, sizeOf(database))
      copyDatabase(database, temporary)
      requireWhole(temporary, database)
      const { bytes, sha256 } = await settle(temporary)
      const [newest] = await listCheckpoints(folder)
      // After the newest also where the clock was set back, so that names keep the order in which they were made.
      const takenMs = Math.max(Date.now(), (newest?.takenMs ?? 0) + 1)
      const path = join(folder, checkpointName(takenMs))
      await writeHash(path, sha256)
      await fs.rename(temporary, path)
      await syncFolder(folder)
      await removeOld(folder, path, keep)
      return { path, bytes, sha256, takenMs, ms: Math.round(performance.now() - begun) }
    } catch (error) {
      await removeLeftovers(folder)
      throw error instanceof NetopsError
        ? error
        : new NetopsError('failed', {
            message: `no checkpoint of ${database} was taken: ${messageOf(error)}`,
            cause: error,
          })
    }
  } finally {
    await lock.release()
  }
}

/** With what is in its log and not yet in it. */
const sizeOf = (database: string): number =>
  statSync(database).size + (statSync(`${database}-wal`, { throwIfNoEntry: false })?.size ?? 0)

async function refuseWithoutRoom(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await fs.statfs(folder)
  const free = bavail * bsize
  if (free >= bytes + leastFreeDisk) return
  throw new NetopsError('failed', {
    message: `no room for a checkpoint: ${formatBytes(free)} free below ${folder}, ${formatBytes(bytes + leastFreeDisk)} needed`,
    hint: 'make room, or keep fewer: checkpoint.keep',
  })
}

/** One read transaction: what is committed when it begins, whatever is written meanwhile (sqlite.org/lang_vacuum.html). */
function copyDatabase(database: string, to: string): void {
  const db = new DatabaseSync(database, { readOnly: true, timeout: lockTimeoutMs })
  try {
    db.prepare('VACUUM INTO ?').run(to)
  } finally {
    db.close()
  }
}

/**
 * Has SQLite look at a database.
 * @param called what messages call it
 * @throws NetopsError `damaged` for one that SQLite finds fault with
 */
export function requireWhole(
  file: string,
  called: string,
  how: 'quick_check' | 'integrity_check' = 'quick_check',
): void {
  let fault: string
  try {
    const db = new DatabaseSync(file, { readOnly: true })
    try {
      fault = db
        .prepare(`PRAGMA ${how}(1)`)
        .all()
        .flatMap((row) => Object.values(row).map(String))
        .join('; ')
    } finally {
      db.close()
    }
  } catch (error) {
    fault = messageOf(error)
  }
  if (fault !== 'ok') throw new NetopsError('damaged', { message: `${called} is damaged: ${fault}` })
}

/** Its bytes are on the disk, and its size and hash are known. */
async function settle(file: string): Promise<{ readonly bytes: number; readonly sha256: string }> {
  const handle = await fs.open(file, 'r+')
  try {
    await handle.chmod(0o640)
    await handle.sync()
    const { size } = await handle.stat()
    return { bytes: size, sha256: await sha256OfFile(file) }
  } finally {
    await handle.close()
  }
}

/** Before the checkpoint has its name: there is none without a hash. */
async function writeHash(path: string, sha256: string): Promise<void> {
  const handle = await fs.open(hashPath(path), 'wx', 0o640)
  try {
    await handle.writeFile(`${sha256}  ${basename(path)}\n`)
    await handle.chmod(0o640)
    await handle.sync()
  } finally {
    await handle.close()
  }
}
