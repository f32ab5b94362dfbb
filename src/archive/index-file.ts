// The index of an archive: what lies in it and where. Lines of JSON in gzip members, so that `zcat` shows it anywhere: the first
// line says what it is; then for each slab a line with its pieces and a line for each of its entries; the last line says that it
// is whole.
import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { promisify } from 'node:util'
import { createGunzip, gzip } from 'node:zlib'
import { messageOf, NetopsError } from '../model/errors.ts'
import { pieceBytes } from './slab-cut.ts'
import type { Piece, Slab } from './slab.ts'

/** The schema of index and manifest; what a newer netops writes is refused. */
export const archiveSchema = 1

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
  #text: Buffer[] = []
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

  async slab({ pieces, entries, text }: Slab): Promise<void> {
    this.#line(JSON.stringify({ slab: { entries, pieces } }))
    this.#take(text)
    this.#slabs += 1
    this.#entries += entries
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
    this.#take(Buffer.from(`${line}\n`))
  }

  #take(text: Buffer): void {
    this.#text.push(text)
    this.#length += text.length
  }

  async #flush(): Promise<void> {
    const text = Buffer.concat(this.#text, this.#length)
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

// A slab's line has 70 bytes for each 4 MB of its one file, and its entries' lines a few hundred each.
const longestText = 64 << 20
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
      yield* this.#read(file.pipe(text))
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

  async *#read(text: AsyncIterable<Buffer>): AsyncGenerator<Slab, void, undefined> {
    const cutter = new TextCutter(() => this.#damaged('a line of it is too long'))
    let isBegun = false
    let slab: Omit<Slab, 'text'> | undefined
    let [slabs, entries] = [0, 0]
    for await (const some of text) {
      cutter.push(some)
      for (;;) {
        const lines = cutter.take(slab?.entries ?? 1)
        if (lines === undefined) break
        if (this.totals !== undefined) throw this.#damaged('something follows its end')
        if (slab !== undefined) {
          slabs += 1
          entries += slab.entries
          yield { ...slab, text: lines }
          slab = undefined
        } else if (!isBegun) {
          this.#begin(lines.toString())
          isBegun = true
        } else {
          const found = this.#slabOrEnd(lines.toString())
          if ('last' in found) {
            if (found.slabs !== slabs || found.entries !== entries) throw this.#damaged('something of it is missing')
            this.totals = found
          } else slab = found
        }
      }
    }
    if (cutter.held > 0) throw this.#damaged('its last line is cut short')
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

const lineBreak = 0x0a

/** Cuts text that comes in pieces into so many lines at a time, as bytes: nothing of it is parsed or copied that need not be. */
class TextCutter {
  readonly #tooMuch: () => NetopsError
  /** What came before and is not taken yet: the beginning of what is wanted next. */
  #before: Buffer[] = []
  #beforeBytes = 0
  /** How many line breaks are in it. */
  #beforeLines = 0
  #piece: Buffer = Buffer.alloc(0)

  /** @param tooMuch what is thrown where a take is longer than {@link longestText} */
  constructor(tooMuch: () => NetopsError) {
    this.#tooMuch = tooMuch
  }

  push(piece: Buffer): void {
    this.#piece = piece
  }

  /** Bytes that were not taken. */
  get held(): number {
    return this.#beforeBytes + this.#piece.length
  }

  /** @returns so many lines; undefined where they have not all come: then as many are to be asked for when there is more */
  take(lines: number): Buffer | undefined {
    let to = 0
    for (; this.#beforeLines < lines; this.#beforeLines += 1) {
      const at = this.#piece.indexOf(lineBreak, to)
      if (at < 0) {
        this.#hold()
        return undefined
      }
      to = at + 1
    }
    const taken = this.#piece.subarray(0, to)
    const all = this.#before.length === 0 ? taken : Buffer.concat([...this.#before, taken])
    this.#piece = this.#piece.subarray(to)
    this.#before = []
    this.#beforeBytes = 0
    this.#beforeLines = 0
    return all
  }

  #hold(): void {
    if (this.#piece.length > 0) this.#before.push(this.#piece)
    this.#beforeBytes += this.#piece.length
    this.#piece = Buffer.alloc(0)
    if (this.#beforeBytes > longestText) throw this.#tooMuch()
  }
}
