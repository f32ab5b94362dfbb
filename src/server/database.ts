// The embedded database, state.db: opened when first needed, and asked whether it takes a write and gives it back.
import { mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** The data schema that this release writes; a file with a newer one is left alone. */
const dataSchema = 1

// The check runs on the thread that serves, so it must not wait long for another process's write to end.
const lockTimeoutMs = 250

export interface StateDatabase {
  /**
   * Writes a value and reads it back.
   * @throws Error when the file is not there any more, cannot be opened, or does not take the write
   */
  verify(): void
  close(): void
}

/**
 * The database in a file. The file is made at the first successful check; from then on a missing file is an error and
 * never made anew, because a new empty one in its place would look healthy.
 */
export function stateDatabase(file: string): StateDatabase {
  let open: { readonly db: DatabaseSync; readonly inode: string } | undefined
  let existed = false

  const close = () => {
    open?.db.close()
    open = undefined
  }
  const openFile = () => {
    if (existed) statSync(file)
    else mkdirSync(dirname(file), { recursive: true, mode: 0o750 })
    const db = new DatabaseSync(file, { timeout: lockTimeoutMs })
    try {
      prepare(db)
      open = { db, inode: inodeOf(file) }
      existed = true
      return open
    } catch (error) {
      db.close()
      throw error
    }
  }

  return {
    close,
    verify() {
      try {
        const { db, inode } = open ?? openFile()
        // SQLite goes on writing to a file that was deleted or replaced; nobody would ever read it again.
        if (inodeOf(file) !== inode) throw new Error(`${file} was replaced while it was open`)
        const now = Date.now()
        db.prepare(
          'INSERT INTO health_check (id, at) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET at = excluded.at',
        ).run(now)
        const row = db.prepare('SELECT at FROM health_check WHERE id = 1').get()
        if (row?.at !== now) throw new Error(`${file} does not give back what was written`)
      } catch (error) {
        close()
        throw error
      }
    },
  }
}

function prepare(db: DatabaseSync): void {
  const version = Number(db.prepare('PRAGMA user_version').get()?.user_version)
  if (version > dataSchema) {
    throw new Error(`it has data schema ${version}, and this release knows only up to ${dataSchema}`)
  }
  db.exec('PRAGMA journal_mode = WAL')
  // With WAL, NORMAL keeps the file consistent after a power cut and saves a sync a write (sqlite.org/pragma.html).
  db.exec('PRAGMA synchronous = NORMAL')
  db.exec('CREATE TABLE IF NOT EXISTS health_check (id INTEGER PRIMARY KEY CHECK (id = 1), at INTEGER NOT NULL) STRICT')
  db.exec(`PRAGMA user_version = ${dataSchema}`)
}

const inodeOf = (file: string): string => {
  const { dev, ino } = statSync(file, { bigint: true })
  return `${dev}:${ino}`
}
