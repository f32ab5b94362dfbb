// The index of an archive: what lies in it and where. Lines of JSON in gzip members, so that `zcat` shows it anywhere: the first
// line says what it is; then for each slab a line with its pieces and a line for each of its entries; the last line says that it
// is whole.
import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { promisify } from 'node:util'
import { createGunzip, gzip } from 'node:zlib'
import { messageOf, NetopsError } from '../model/errors.ts'
import { linesOf } from './lines.ts'
import { pieceBytes } from './slab-cut.ts'
import type { Piece } from './threads/tasks.ts'

/** The schema of index and manifest; what a newer netops writes is refused. */
export const archiveSchema = 1

/** A slab: consecutive entries, in pieces that are compressed each by itself. */
export interface Slab {
  /** In the order of the archive; more than one where it has a file that is larger than a piece. */
  readonly pieces: readonly Piece[]
  /** A line for each entry (entries.ts). */
  readonly lines: readonly string[]
}

/** What an index file must be. */
export interface IndexFacts {
  readonly bytes: number
  readonly sha256: string
}

export interface IndexTotals {
  readonly slabs: number
  readonly entries: number
  /** The piece that ends the tar. */
  readonly last: Piece
}

const compress = promisify(gzip)
const textBytes = 512 << 10

/** Writes an index beside everything else: compressing is done by other threads, and two members are held at most. */
export class IndexWriter {
  readonly #file: FileHandle
  readonly #hash = createHash('sha256')
  #text: string[] = []
  #length = 0
  #bytes = 0
  #slabs = 0
  #entries = 0
  #writing: Promise<void> = Promise.resolve()

  private constructor(file: FileHandle) {
    this.#file = file
  }

  /** @param path where nothing lies yet */
  static async begin(path: string): Promise<IndexWriter> {
    const writer = new IndexWriter(await open(path, 'wx', 0o600))
    writer.#line(JSON.stringify({ netops: 'archive-index', schema: archiveSchema }))
    return writer
  }

  async slab({ pieces, lines }: Slab): Promise<void> {
    this.#line(JSON.stringify({ slab: { entries: lines.length, pieces } }))
    for (const line of lines) this.#line(line)
    this.#slabs += 1
    this.#entries += lines.length
    if (this.#length >= textBytes) await this.#flush()
  }

  /** Ends it, and has it on the disk. */
  async end(last: Piece): Promise<IndexFacts & { readonly totals: IndexTotals }> {
    const totals = { slabs: this.#slabs, entries: this.#entries, last }
    this.#line(JSON.stringify({ end: totals }))
    await this.#flush()
    await this.#writing
    await this.#file.sync()
    return { bytes: this.#bytes, sha256: this.#hash.digest('hex'), totals }
  }

  async close(): Promise<void> {
    await this.#writing.catch(() => undefined) // whoever ends it was told
    await this.#file.close()
  }

  #line(line: string): void {
    this.#text.push(line)
    this.#length += line.length + 1
  }

  async #flush(): Promise<void> {
    const text = `${this.#text.join('\n')}\n`
    this.#text = []
    this.#length = 0
    const before = this.#writing
    const write = async (): Promise<void> => {
      const member = await compress(text, { level: 3 })
      await before
      this.#hash.update(member)
      this.#bytes += member.length
      await this.#file.appendFile(member)
    }
    this.#writing = write()
    this.#writing.catch(() => undefined) // the next flush or the end tells it
    await before
  }
}

// A slab's line has 70 bytes for each 4 MB of its one file.
const longestLine = 64 << 20
const mostEntriesOfASlab = 100_000

/** Reads an index, a slab at a time. */
export class IndexReader {
  readonly #path: string
  readonly #expected: IndexFacts
  /** After all slabs were read. */
  totals: IndexTotals | undefined

  constructor(path: string, expected: IndexFacts) {
    this.#path = path
    this.#expected = expected
  }

  /**
   * Reads all slabs in order, and at the end looks whether the file was the one that it should be.
   * @throws NetopsError `damaged` where it is another, cut short, or no index; `refused` where a newer netops wrote it
   */
  async *slabs(): AsyncGenerator<Slab, void, undefined> {
    const hash = createHash('sha256')
    let bytes = 0
    try {
      const file = createReadStream(this.#path, { highWaterMark: 256 << 10, end: this.#expected.bytes })
      file.on('data', (chunk) => {
        hash.update(chunk)
        bytes += chunk.length
      })
      const text = createGunzip({ chunkSize: 256 << 10 })
      file.on('error', (error) => text.destroy(error))
      yield* this.#read(linesOf(file.pipe(text), longestLine))
    } catch (error) {
      throw error instanceof NetopsError ? error : this.#damaged(messageOf(error), error)
    }
    if (this.totals === undefined) throw this.#damaged('it has no end')
    this.#judge(bytes, hash)
  }

  #judge(bytes: number, hash: Hash): void {
    if (bytes !== this.#expected.bytes)
      throw this.#damaged(`it has not ${this.#expected.bytes} bytes, as the manifest says`)
    if (hash.digest('hex') !== this.#expected.sha256) throw this.#damaged('it has another hash than the manifest says')
  }

  async *#read(lines: AsyncIterable<readonly string[]>): AsyncGenerator<Slab, void, undefined> {
    let isBegun = false
    let slab: { readonly pieces: readonly Piece[]; readonly lines: string[]; readonly entries: number } | undefined
    let [slabs, entries] = [0, 0]
    for await (const some of lines) {
      for (const line of some) {
        if (this.totals !== undefined) throw this.#damaged('something follows its end')
        if (!isBegun) {
          this.#begin(line)
          isBegun = true
        } else if (slab !== undefined && slab.lines.length < slab.entries) {
          slab.lines.push(line)
          if (slab.lines.length < slab.entries) continue
          slabs += 1
          entries += slab.entries
          yield slab
          slab = undefined
        } else {
          const found = this.#slabOrEnd(line)
          if ('last' in found) {
            if (found.slabs !== slabs || found.entries !== entries) throw this.#damaged('something of it is missing')
            this.totals = found
          } else slab = { ...found, lines: [] }
        }
      }
    }
  }

  #begin(line: string): void {
    const found = this.#json(line)
    if (!isRecord(found) || found.netops !== 'archive-index' || typeof found.schema !== 'number') {
      throw this.#damaged('it does not begin as an index does')
    }
    if (found.schema !== archiveSchema) throw newerSchema(this.#path, found.schema)
  }

  #slabOrEnd(line: string): IndexTotals | { readonly pieces: readonly Piece[]; readonly entries: number } {
    const found = this.#json(line)
    if (isRecord(found) && isRecord(found.slab)) {
      const { entries, pieces } = found.slab
      if (
        isCount(entries) &&
        entries > 0 &&
        entries <= mostEntriesOfASlab &&
        Array.isArray(pieces) &&
        pieces.length > 0
      ) {
        return { entries, pieces: pieces.map((piece) => this.#piece(piece)) }
      }
    }
    if (isRecord(found) && isRecord(found.end)) {
      const { slabs, entries, last } = found.end
      if (isCount(slabs) && isCount(entries)) return { slabs, entries, last: this.#piece(last) }
    }
    throw this.#damaged('a line of it is none')
  }

  #piece(found: unknown): Piece {
    if (Array.isArray(found)) {
      const [bytes, raw, sha256] = found as unknown[]
      // Nothing larger is ever made, and so nothing larger is ever decompressed at once.
      if (
        isCount(bytes) &&
        isCount(raw) &&
        raw <= pieceBytes &&
        bytes <= 2 * pieceBytes &&
        typeof sha256 === 'string'
      ) {
        return [bytes, raw, sha256]
      }
    }
    throw this.#damaged('a line of it is none')
  }

  #json(line: string): unknown {
    try {
      return JSON.parse(line)
    } catch (error) {
      throw this.#damaged('a line of it is none', error)
    }
  }

  #damaged(why: string, cause?: unknown): NetopsError {
    return new NetopsError('damaged', { message: `the index ${this.#path} is damaged: ${why}`, cause })
  }
}

export const newerSchema = (path: string, schema: number): NetopsError =>
  new NetopsError('refused', {
    message: `${path} has schema ${schema}; this netops knows ${archiveSchema}`,
    hint: 'use the netops that wrote it, or a newer one',
  })

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
