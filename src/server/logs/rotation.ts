// Rotated log files: how they are named, which of them are deleted, and when a new file is begun.
import { lstatSync, renameSync } from 'node:fs'
import { readdir, unlink } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import { systemCode } from '../../model/errors.ts'

export interface Rotation {
  /** A line that would make the file larger begins a new one, in bytes. */
  readonly maxSize: number
  /** A file that is older is rotated, and rotated ones that are older are deleted, in ms; absent: never. */
  readonly maxAge?: number
  /** How many rotated files are kept; absent: all. */
  readonly maxBackups?: number
}

/** `access-2026-11-27T06-00-00.000.log` for `access.log`: names that stay when the next file is rotated. */
export function backupPath(path: string, at: Date): string {
  const extension = extname(path)
  const stem = path.slice(0, path.length - extension.length)
  return `${stem}-${at.toISOString().slice(0, -1).replaceAll(':', '-')}${extension}`
}

/** Renames a log file out of the way of a new one, and replaces no other. */
export function renameAway(path: string): void {
  for (let at = Date.now(); ; at++) {
    const backup = backupPath(path, new Date(at))
    if (lstatSync(backup, { throwIfNoEntry: false }) !== undefined) continue
    renameSync(path, backup)
    return
  }
}

/** The rotated files of a log among the names of its folder, newest first; also those that were compressed since. */
function backupsAmong(names: readonly string[], path: string): readonly (readonly [at: number, name: string])[] {
  const extension = extname(path)
  const stem = `${basename(path, extension)}-`
  return names
    .flatMap((name): (readonly [number, string])[] => {
      if (!name.startsWith(stem)) return []
      const found = /^(\d{4}-\d\d-\d\d)T(\d\d)-(\d\d)-(\d\d\.\d{3})(.*)$/.exec(name.slice(stem.length))
      if (found === null) return []
      const [, day = '', hours = '', minutes = '', seconds = '', rest = ''] = found
      const ends =
        rest === extension || (rest.startsWith(extension) && /^\.(?:gz|zst|xz|bz2)$/.test(rest.slice(extension.length)))
      const at = Date.parse(`${day}T${hours}:${minutes}:${seconds}Z`)
      return ends && !Number.isNaN(at) ? [[at, name]] : []
    })
    .sort(([one], [other]) => other - one)
}

/** The names that a rotation no longer keeps. A file and its compressed form count once. */
function expired(
  backups: readonly (readonly [at: number, name: string])[],
  rotation: Rotation,
  now: number,
): readonly string[] {
  const times = [...new Set(backups.map(([at]) => at))]
  const kept = new Set(
    times
      .slice(0, rotation.maxBackups ?? times.length)
      .filter((at) => rotation.maxAge === undefined || now - at <= rotation.maxAge),
  )
  return backups.filter(([at]) => !kept.has(at)).map(([, name]) => name)
}

/**
 * Deletes the rotated files that are no longer kept.
 * @throws what the system says, when the folder cannot be read or a file not be deleted
 */
export async function deleteExpired(path: string, rotation: Rotation): Promise<void> {
  if (rotation.maxAge === undefined && rotation.maxBackups === undefined) return
  const folder = dirname(path)
  const backups = backupsAmong(await readdir(folder), path)
  for (const name of expired(backups, rotation, Date.now())) {
    await unlink(join(folder, name)).catch((error: unknown) => {
      // Somebody else was faster.
      if (systemCode(error) !== 'ENOENT') throw error
    })
  }
}
