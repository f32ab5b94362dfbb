// `network_server migrate` for SQLite: beforehand, by hand; a start does the same by itself.
import { existsSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { judgeFault } from './faults.ts'
import { openStateFile } from './file.ts'
import { schemaChange, type SchemaChange } from './schema.ts'

/**
 * Brings a file to this release's data schema. Two at once are safe, and so is a server that runs.
 * @returns what was done, in a dry run what would be; undefined where there is no file, which the first start makes
 * @throws StoreUnavailable where it cannot be used, or a newer release wrote it
 */
export function migrateSqlite(file: string, { dryRun }: { readonly dryRun: boolean }): SchemaChange | undefined {
  // Made here it would be the file of whoever gave the command.
  if (!existsSync(file)) return undefined
  try {
    if (dryRun) return lookAt(file)
    const open = openStateFile(file, 'there')
    open.close()
    return open.change
  } catch (error) {
    throw judgeFault(error).error
  }
}

function lookAt(file: string): SchemaChange {
  // A plain open makes the log and its index where they are missing, and they would belong to whoever looks.
  // (sqlite.org/wal.html, Read-Only Databases; sqlite.org/uri.html)
  const way = existsSync(`${file}-shm`) ? 'readonly_shm=1' : 'immutable=1'
  const db = new DatabaseSync(new URL(`${pathToFileURL(file).href}?${way}`), { readOnly: true })
  try {
    return schemaChange(db)
  } finally {
    db.close()
  }
}
