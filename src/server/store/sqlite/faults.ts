// What SQLite and the file system say when a database cannot be used, in words that may go to clients.
import { systemCode } from '../../../model/errors.ts'
import { StoreUnavailable } from '../port.ts'

interface Fault {
  readonly reason: string
  /** Whether the open file is still good: nothing is wrong with it, only this transaction did not come to pass. */
  readonly keepsFile?: true
}

// Primary result codes (sqlite.org/rescode.html). What is not here is a fault of ours: a broken statement, for one.
const faults: Readonly<Record<number, Fault>> = {
  3: { reason: 'the database may not be used by this account' }, // PERM
  5: { reason: 'the database is locked by another process', keepsFile: true }, // BUSY
  7: { reason: 'there is not enough memory for the database' }, // NOMEM
  8: { reason: 'the database may not be written' }, // READONLY
  10: { reason: 'the disk of the database does not read or write' }, // IOERR
  11: { reason: 'the database is damaged' }, // CORRUPT
  13: { reason: 'the disk of the database is full', keepsFile: true }, // FULL
  14: { reason: 'the database cannot be opened' }, // CANTOPEN
  15: { reason: 'the database is locked by another process', keepsFile: true }, // PROTOCOL: a race for the lock was lost
  22: { reason: 'the file of the database is too large for its file system' }, // NOLFS
  26: { reason: 'the file of the database is not a database' }, // NOTADB
}

// A file system that is full while SQLite makes its index of the log larger tells so as a failed write (SQLITE_IOERR_SHMSIZE).
const fullIndex = 4874

const systemFaults: Readonly<Record<string, string>> = {
  ENOENT: 'the file of the database is not there any more',
  EACCES: 'the folder of the database may not be used by this account',
  EPERM: 'the folder of the database may not be used by this account',
  EROFS: 'the folder of the database may not be written',
  ENOSPC: 'the disk of the database is full',
  EIO: 'the disk of the database does not read or write',
}

export interface Judged {
  /** What is thrown to whoever asked. */
  readonly error: unknown
  /** Whether the file stays open. */
  readonly keepsFile: boolean
}

/** What to throw for an error of SQLite or the file system, and whether the file that is open may be worked with further. */
export function judgeFault(error: unknown): Judged {
  if (error instanceof StoreUnavailable) return { error, keepsFile: false }
  const code = resultCode(error)
  if (code === undefined) {
    const system = systemCode(error)
    if (system === undefined) return { error, keepsFile: false }
    const reason = systemFaults[system] ?? 'the file of the database cannot be reached'
    return { error: new StoreUnavailable(reason, { cause: error }), keepsFile: false }
  }
  const fault = code === fullIndex ? faults[13] : faults[code & 0xff]
  if (fault === undefined) return { error, keepsFile: true }
  const told = new StoreUnavailable(fault.reason, { cause: error })
  return { error: told, keepsFile: fault.keepsFile === true }
}

/** Whether another process holds the database at the moment. */
export const isLocked = (error: unknown): boolean => [5, 15].includes((resultCode(error) ?? 0) & 0xff)

/** SQLite's extended result code; undefined where the error is none of SQLite's. */
function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error)) return undefined
  return typeof error.errcode === 'number' ? error.errcode : undefined
}
