// The file of a SQLite store while it is open: that it is still the one that lies in its place, and how it is opened.
import { closeSync, fsyncSync, mkdirSync, openSync, rmSync, statSync, type BigIntStats } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { StoreUnavailable } from '../port.ts'
import { isLocked } from './faults.ts'
import { migrateSchema, type SchemaChange } from './schema.ts'
import { prepareStatements, type Statements } from './statements.ts'

/** The file's name in the service's data folder. */
export const stateFile = 'state.db'

// Every request of the process waits for this thread, so it must not wait long for another process's write to end.
const lockTimeoutMs = 250

// Two processes that open a new file at once are in each other's way when they turn its log on; SQLite does not wait there.
const openTries = 40
const openPauseMs = 25

export interface OpenFile {
  readonly db: DatabaseSync
  readonly statements: Statements
  readonly identity: Identity
  /** What opening it migrated. */
  readonly change: SchemaChange
  /**
   * SQLite goes on writing to a file that was deleted or replaced; nobody would ever read it again.
   * @throws StoreUnavailable where another file lies there now, or Error with ENOENT where none does
   */
  readonly checkPlace: () => void
  /** @throws StoreUnavailable where the file was replaced and the next one could not be opened safely after this */
  readonly close: () => void
}

/** Which files an open database had: its own, its log, and the log's index. */
export type Identity = readonly (string | undefined)[]

/**
 * Opens the file, and makes or migrates it.
 * @param place `new` where a missing file is made, with its folder; what the store had open last, where it must be there
 */
export function openStateFile(file: string, place: 'new' | 'there' | Identity): OpenFile {
  if (place === 'new') makeFolder(dirname(file))
  else removeStale(file, place === 'there' ? [] : place)
  const db = new DatabaseSync(file, { timeout: lockTimeoutMs })
  try {
    const change = prepare(db)
    return { db, change, statements: prepareStatements(db), ...inPlace(db, file) }
  } catch (error) {
    db.close()
    throw error
  }
}

/**
 * Threads that read the last file may still have it open. If another lies there now, its log and index must not be theirs.
 * @throws Error with ENOENT where no file is there
 */
function removeStale(file: string, [last, ...beside]: Identity): void {
  const [now, ...there] = identityOf(file)
  if (now === undefined) statSync(file)
  if (last === undefined || now === last) return
  for (const [index, inode] of there.entries()) {
    if (inode !== undefined && inode === beside[index]) rmSync(`${file}${suffixes[index] ?? ''}`)
  }
}

function inPlace(db: DatabaseSync, file: string): Pick<OpenFile, 'identity' | 'checkPlace' | 'close'> {
  const identity = identityOf(file)
  const [inode] = identity
  let moved = false
  return {
    identity,
    checkPlace() {
      moved = true
      if (inodeOf(file) !== inode) throw new StoreUnavailable('the file of the database was replaced while it was open')
      moved = false
    },
    close() {
      if (moved) emptyLog(db)
      db.close()
    },
  }
}

/**
 * SQLite leaves the log of a file that was moved away where it is, and would play it into whatever lies in that place next.
 * So all of it goes into the file to which it belongs.
 */
function emptyLog(db: DatabaseSync): void {
  const row = db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()
  if (row?.busy !== 0)
    throw new StoreUnavailable('the file of the database was replaced while somebody reads the old one')
}

function prepare(db: DatabaseSync): SchemaChange {
  for (let tried = 1; ; tried += 1) {
    try {
      db.exec('PRAGMA journal_mode = WAL')
      break
    } catch (error) {
      if (!isLocked(error) || tried >= openTries) throw error
      // Nothing else can be done on this thread meanwhile.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, openPauseMs)
    }
  }
  const change = migrateSchema(db)
  // FULL: with every commit the log is synced (sqlite.org/pragma.html#pragma_synchronous); what was acknowledged
  // survives a power cut.
  db.exec('PRAGMA synchronous = FULL')
  db.exec(`PRAGMA busy_timeout = ${lockTimeoutMs}`)
  // One write of many MB leaves a log of that size; this is what remains of it.
  db.exec(`PRAGMA journal_size_limit = ${64 * 2 ** 20}`)
  return change
}

function makeFolder(folder: string): void {
  const first = mkdirSync(folder, { recursive: true, mode: 0o750 })
  // SQLite syncs the folder that its files lie in, and nobody the one that this folder lies in.
  if (first !== undefined) syncFolder(dirname(first))
}

function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

// sqlite.org/tempfiles.html, 2.2 and 2.3.
const suffixes = ['-wal', '-shm']

const identityOf = (file: string): Identity => ['', ...suffixes].map((suffix) => inodeIfAny(`${file}${suffix}`))

/** What tells the file in a place from another one. @throws Error with ENOENT where none is */
export const inodeOf = (file: string): string => idOf(statSync(file, { bigint: true }))

const inodeIfAny = (file: string): string | undefined => {
  const found = statSync(file, { bigint: true, throwIfNoEntry: false })
  return found === undefined ? undefined : idOf(found)
}

const idOf = ({ dev, ino }: BigIntStats): string => `${dev}:${ino}`
