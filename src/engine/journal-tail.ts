// Reads a journal as it grows: each time only what was appended since.
import { promises as fs } from 'node:fs'
import { systemCode } from '../model/errors.ts'
import type { JournalRecord } from '../model/journal.ts'
import { parseRecord } from './journal.ts'

const chunkBytes = 1 << 18
const newline = 0x0a

/** A journal from its beginning on. A last line that is not whole yet is left for the next look. */
export class JournalTail {
  readonly #path: string
  /** How far whole lines were read, in bytes. */
  #offset = 0
  #count = 0
  readonly #chunk = Buffer.allocUnsafe(chunkBytes)

  /** @param path of the journal; it may not be there yet */
  constructor(path: string) {
    this.#path = path
  }

  /**
   * The records that were appended since the last call.
   * @throws NetopsError `refused` for a line that is not the record that is to come
   */
  async read(): Promise<readonly JournalRecord[]> {
    const handle = await openIfAny(this.#path)
    if (handle === undefined) return []
    try {
      const records: JournalRecord[] = []
      let rest: Uint8Array = new Uint8Array()
      for (;;) {
        const { bytesRead } = await handle.read(this.#chunk, 0, chunkBytes, this.#offset + rest.length)
        const read = this.#chunk.subarray(0, bytesRead)
        const bytes = rest.length === 0 ? read : Buffer.concat([rest, read])
        const end = bytes.lastIndexOf(newline) + 1
        this.#offset += end
        if (end > 0) this.#parse(bytes.subarray(0, end - 1), records)
        if (bytesRead < chunkBytes) return records
        // The chunk is written over by the next read.
        rest = Buffer.from(bytes.subarray(end))
      }
    } finally {
      await handle.close()
    }
  }

  #parse(lines: Buffer, into: JournalRecord[]): void {
    for (const line of lines.toString('utf8').split('\n')) {
      this.#count += 1
      into.push(parseRecord(line, this.#count, this.#path))
    }
  }
}

async function openIfAny(path: string): Promise<fs.FileHandle | undefined> {
  try {
    return await fs.open(path, 'r')
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}
