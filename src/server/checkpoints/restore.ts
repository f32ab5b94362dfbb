// Puts a checkpoint in the place of the database (guide: StateManager): verified beside it, swapped by rename, the old one kept.
// Whenever it is killed, the old state lies there whole, or the new one does, or a mark says that neither may be served.
import { createHash } from 'node:crypto'
import { existsSync, promises as fs } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { NetopsError } from '../../model/errors.ts'
import { leastFreeDisk } from '../../model/free-disk.ts'
import { formatBytes } from '../../model/units.ts'
import { syncFolder, writeFileAtomic } from '../../system/files.ts'
import { holdData } from '../control/hold.ts'
import type { RestoreSource } from './source.ts'
import { requireWhole } from './take.ts'

export interface RestoreOptions {
  readonly source: RestoreSource
  readonly dataDir: string
  /** The database's name in it. */
  readonly database: string
  /** The data schemas that this release reads (SQLite's user_version). */
  readonly schemas: { readonly from: number; readonly to: number }
  /** Only what can be found out without changing anything. */
  readonly dryRun: boolean
}

export interface Restored {
  readonly from: string
  readonly bytes: number
  readonly schema: number
  /** The database that was there before, under its new name. */
  readonly kept: string | undefined
}

const stagedPrefix = '.restoring-'
const lookPrefix = '.verifying-'
const markName = 'restore-unfinished.json'

/** What a restore that was cut off left where the service must not start; undefined where there is nothing. */
export const unfinishedRestore = (dataDir: string): string | undefined => {
  const mark = join(dataDir, markName)
  return existsSync(mark) ? mark : undefined
}

/**
 * Restores.
 * @throws NetopsError `locked` while a service or another restore works with the data; `damaged` where the source is not what
 * its hash says or not whole; `refused` for data that this release does not read; `failed` otherwise. Then all is as before,
 * unless the message says otherwise.
 */
export async function restore(options: RestoreOptions): Promise<Restored> {
  const { dataDir, dryRun } = options
  if (dryRun) return { ...(await stageAndVerify(options)).found, kept: undefined }
  const hold = await holdData(dataDir)
  try {
    await removeStaged(dataDir)
    const { found, staged } = await stageAndVerify(options)
    return { ...found, kept: await swap(join(dataDir, options.database), staged, dataDir) }
  } finally {
    await removeStaged(dataDir)
    await hold.release()
  }
}

/** Verifies a copy, because what lies elsewhere may change between the look and the swap; for a dry run it is removed again. */
async function stageAndVerify(options: RestoreOptions) {
  const { dataDir, source, dryRun } = options
  const staged = join(dataDir, `${dryRun ? lookPrefix : stagedPrefix}${process.pid}.db`)
  await refuseWithoutRoom(dataDir, source.bytes)
  try {
    await stage(source, staged)
    const schema = verified(staged, options)
    return { staged, found: { from: source.path, bytes: source.bytes, schema } }
  } finally {
    if (dryRun) await fs.rm(staged, { force: true })
  }
}

async function removeStaged(dataDir: string): Promise<void> {
  for (const name of await fs.readdir(dataDir)) {
    if (name.startsWith(stagedPrefix) || name.startsWith(lookPrefix))
      await fs.rm(join(dataDir, name), { force: true, recursive: true })
  }
}

async function refuseWithoutRoom(dataDir: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await fs.statfs(dataDir)
  if (bavail * bsize >= bytes + leastFreeDisk) return
  throw new NetopsError('failed', {
    message: `no room to restore: ${formatBytes(bavail * bsize)} free below ${dataDir}, ${formatBytes(bytes + leastFreeDisk)} needed`,
    hint: 'make room first; nothing was touched',
  })
}

/** A copy beside the database, on the disk, of exactly the bytes whose hash is right. */
async function stage({ handle, path, sha256 }: RestoreSource, staged: string): Promise<void> {
  const hash = createHash('sha256')
  const to = await fs.open(staged, 'wx', 0o640)
  try {
    for await (const chunk of handle.createReadStream({ start: 0, autoClose: false, highWaterMark: 1 << 20 })) {
      const bytes = chunk as Buffer
      hash.update(bytes)
      await to.writeFile(bytes)
    }
    await to.sync()
  } finally {
    await to.close()
  }
  if (hash.digest('hex') === sha256) return
  throw new NetopsError('damaged', {
    message: `${path} is damaged: it is not what the hash beside it says`,
    hint: 'take an older one; nothing was touched',
  })
}

/** @returns the data schema of what is to be restored */
function verified(staged: string, { schemas, source }: RestoreOptions): number {
  requireWhole(staged, source.path, 'integrity_check')
  const db = new DatabaseSync(staged, { readOnly: true })
  try {
    const schema = Number(db.prepare('PRAGMA user_version').get()?.user_version)
    if (schema >= schemas.from && schema <= schemas.to) return schema
    throw new NetopsError('refused', {
      message: `${source.path} has data schema ${schema}, and this release reads ${schemas.from} to ${schemas.to}`,
      hint: 'restore with the release that wrote it; nothing was touched',
    })
  } finally {
    db.close()
  }
}

/** @returns where the old database lies now; undefined where there was none */
async function swap(database: string, staged: string, dataDir: string): Promise<string | undefined> {
  const kept = `${database}.before-${new Date().toISOString().replace(/[-:.]/g, '')}`
  const before = unfinishedRestore(dataDir)
  // What an earlier restore began to put aside is left as it is.
  const old = before === undefined ? fold(database) : existsSync(database) ? 'damaged' : 'none'
  const logs = ['-wal', '-shm', '-journal'].filter((ending) => existsSync(`${database}${ending}`))
  // SQLite would apply what it finds in a log to whatever lies beside it: from here on, nobody may open either.
  const mark = join(dataDir, markName)
  if (logs.length > 0 || before !== undefined) {
    await writeFileAtomic(mark, `${JSON.stringify({ schema: 1, kept })}\n`, 0o640)
    // The log holds what the old file lacks: they stay together.
    for (const ending of logs) await fs.rename(`${database}${ending}`, `${kept}${ending}`)
  }
  if (old !== 'none') await fs.link(database, kept)
  await fs.rename(staged, database)
  await syncFolder(dataDir)
  await fs.rm(mark, { force: true })
  await syncFolder(dataDir)
  return old === 'none' ? undefined : kept
}

/**
 * Has SQLite put into the old file what is only in its log, and remove that, so that one rename swaps all there is.
 * @returns `damaged` where SQLite cannot: then the file and its log are kept as they are
 * @throws NetopsError `locked` while another process has it open
 */
function fold(database: string): 'none' | 'whole' | 'damaged' {
  if (!existsSync(database)) return 'none'
  let db: DatabaseSync | undefined
  try {
    // Of a file that it cannot read SQLite would remove the log, when it closes the file that may be written.
    requireReadable(database)
    db = new DatabaseSync(database)
    // It needs the file for itself alone (sqlite.org/wal.html), which tells whether anybody has it open.
    if (db.prepare('PRAGMA journal_mode = DELETE').get()?.journal_mode === 'delete') return 'whole'
    throw openElsewhere(database)
  } catch (error) {
    // SQLITE_BUSY, SQLITE_LOCKED
    if ([5, 6].includes(resultOf(error) ?? 0)) {
      throw openElsewhere(database, error)
    }
    if (error instanceof NetopsError) throw error
    return 'damaged'
  } finally {
    db?.close()
  }
}

function requireReadable(database: string): void {
  const db = new DatabaseSync(database, { readOnly: true })
  try {
    db.prepare('SELECT count(*) FROM sqlite_schema').get()
  } catch (error) {
    // Whoever wrote to it was killed, and what it began is taken back by whoever may write (SQLITE_READONLY_ROLLBACK).
    if (resultOf(error) !== 8) throw error
  } finally {
    db.close()
  }
}

/** SQLite's primary result code (sqlite.org/rescode.html). */
const resultOf = (error: unknown): number | undefined =>
  error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : undefined

const openElsewhere = (database: string, cause?: unknown): NetopsError =>
  new NetopsError('locked', {
    message: `another process has ${database} open; nothing was touched`,
    hint: 'stop the service first, and whatever else reads it',
    cause,
  })
