// Reads a journal as it grows: each time only what was appended since.
import type { FileHandle } from 'node:fs/promises'
import type { JournalRecord } from '../model/journal.ts'
import { damagedState } from '../model/state-text.ts'
import { withStateFile } from '../system/state-file.ts'
import { journalSource, parseLines } from './journal.ts'

const chunkBytes = 1 << 18
const newline = 0x0a
/** The first record holds the plan: some KB for each host. */
const longestLine = 128 << 20

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
   * @throws NetopsError `refused` for a line that is not the record that is to come, `damaged` where there is no file to read
   */
  async read(): Promise<readonly JournalRecord[]> {
    return (await withStateFile(journalSource(this.#path), (handle) => this.#readFrom(handle))) ?? []
  }

  async #readFrom(handle: FileHandle): Promise<readonly JournalRecord[]> {
    const records: JournalRecord[] = []
    /** The beginning of a line whose end was not read yet. */
    let begun: Uint8Array[] = []
    let length = 0
    for (;;) {
      const { bytesRead } = await handle.read(this.#chunk, 0, chunkBytes, this.#offset + length)
      const read = this.#chunk.subarray(0, bytesRead)
      const end = read.lastIndexOf(newline) + 1
      if (end > 0) {
        const lines = Buffer.concat([...begun, read.subarray(0, end)])
        const parsed = parseLines(lines, { first: this.#count + 1, path: this.#path })
        this.#offset += lines.length
        this.#count += parsed.length
        for (const record of parsed) records.push(record)
        begun = []
        length = 0
      }
      if (bytesRead < chunkBytes) return records
      // The chunk is written over by the next read.
      begun.push(Buffer.from(read.subarray(end)))
      length += read.length - end
      if (length > longestLine) {
        throw damagedState(journalSource(this.#path), `line ${this.#count + 1} has no end`)
      }
    }
  }
}
