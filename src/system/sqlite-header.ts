// What the header of an SQLite file says of it, without SQLite (sqlite.org/fileformat2.html, 1.3).
import { constants, promises as fs } from 'node:fs'

const mark = 'SQLite format 3\0'
const headerBytes = 64
const userVersionAt = 60

/** The data schema of a database: its user version. Undefined for a file that is none, or has none. */
export async function readSqliteSchema(path: string): Promise<number | undefined> {
  const handle = await fs.open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(headerBytes), 0, headerBytes, 0)
    if (bytesRead < headerBytes || buffer.toString('latin1', 0, mark.length) !== mark) return undefined
    const version = buffer.readUInt32BE(userVersionAt)
    return version === 0 ? undefined : version
  } finally {
    await handle.close()
  }
}
