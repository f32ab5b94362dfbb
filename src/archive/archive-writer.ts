// Writes an archive in order, while threads work on what comes next: what was made anew, and what is copied from the last one.
import { createHash } from 'node:crypto'
import { open, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { NetopsError } from '../model/errors.ts'
import type { Compression } from './compression.ts'
import { lineOf } from './entries.ts'
import { IndexWriter, type IndexFacts, type IndexTotals } from './index-file.ts'
import { LastPieces, type LastArchive } from './last-pieces.ts'
import { Loader, type Load } from './loader.ts'
import { archiveFile, indexFile, type ArchivePlace } from './manifest.ts'
import { rawBytesOf, slabOf } from './slab.ts'
import { endOfTar } from './tar-header.ts'
import { sharedBytes } from './threads/memory.ts'
import type { ThreadPool } from './threads/pool.ts'
import { mostOut, type Squeezed } from './threads/tasks.ts'

export interface WrittenArchive {
  readonly archive: IndexFacts
  readonly index: IndexFacts & { readonly totals: IndexTotals }
  /** Of the tar before compression. */
  readonly raw: number
}

export interface WriterOptions {
  readonly compression: Compression
  readonly pool: ThreadPool
  readonly signal: AbortSignal | undefined
  /** Hears how many bytes of the tar were written. */
  onBytes(raw: number): void
}

// Behind by so much the disk writes by itself: what is left to wait for at the end is little.
const syncedEvery = 64 << 20

export class ArchiveWriter {
  readonly loader: Loader
  readonly #options: WriterOptions
  readonly #file: FileHandle
  readonly #index: IndexWriter
  readonly #last: LastPieces | undefined
  readonly #hash = createHash('sha256')
  #bytes = 0
  #raw = 0
  #synced = 0
  #syncing: Promise<void> | undefined
  /** What is to be written, each after the one before it. */
  #tail: Promise<void> = Promise.resolve()
  #loads = 0
  #failure: { readonly error: unknown } | undefined
  #whenLess: (() => void) | undefined

  private constructor(
    parts: { file: FileHandle; index: IndexWriter; last: LastPieces | undefined },
    options: WriterOptions,
  ) {
    this.#file = parts.file
    this.#index = parts.index
    this.#last = parts.last
    this.#options = options
    this.loader = new Loader((load) => this.#send(load))
  }

  /** @param last the archive whose slabs are copied */
  static async begin(
    place: ArchivePlace,
    last: LastArchive | undefined,
    options: WriterOptions,
  ): Promise<ArchiveWriter> {
    const file = await open(join(place.folder, archiveFile(place.name, options.compression)), 'wx', 0o600)
    const index = await IndexWriter.begin(join(place.folder, indexFile(place.name)))
    return new ArchiveWriter(
      { file, index, last: last === undefined ? undefined : await LastPieces.open(last) },
      options,
    )
  }

  /** Copies consecutive slabs of the last archive, of which those before were copied or passed. */
  copy(from: number, count: number): void {
    this.loader.flush()
    this.#then(() => this.#copy(from, count))
  }

  /** Waits until there is room for more. @throws what went wrong so far */
  async room(): Promise<void> {
    while (this.#failure === undefined && this.#loads > this.#options.pool.room) {
      await new Promise<void>((resolve) => (this.#whenLess = resolve))
    }
    if (this.#failure !== undefined) throw this.#failure.error
  }

  /** Ends tar, archive and index, and has them on the disk. */
  async end(): Promise<WrittenArchive> {
    this.loader.flush()
    await this.#tail
    await this.room()
    const { compression, pool } = this.#options
    const raw = sharedBytes(endOfTar.length)
    const out = sharedBytes(mostOut)
    const last = await pool.run({ kind: 'squeeze', compression, raw, out, parts: [[0, endOfTar.length]], files: [] })
    const [piece] = last.pieces
    if (piece === undefined) throw new Error('the end of the tar is no piece')
    await this.#write(out.subarray(0, piece[0]), endOfTar.length)
    const index = await this.#index.end(piece)
    await this.#syncing
    await this.#file.sync()
    return { archive: { bytes: this.#bytes, sha256: this.#hash.digest('hex') }, index, raw: this.#raw }
  }

  async close(): Promise<void> {
    this.#failure ??= { error: new NetopsError('interrupted', { message: 'the archive is not made any more' }) }
    await this.#tail
    await this.#syncing?.catch(() => undefined) // whoever waited for the end was told
    await Promise.all([this.#file.close(), this.#index.close(), this.#last?.close()])
  }

  #then(step: () => Promise<void>): void {
    this.#tail = this.#tail.then(async () => {
      if (this.#failure !== undefined) return
      try {
        this.#options.signal?.throwIfAborted()
        await step()
      } catch (error) {
        this.#failure = { error }
        this.#whenLess?.()
      }
    })
  }

  #send(load: Load): void {
    const { compression, pool } = this.#options
    const parts = load.parts.map(({ range }) => range)
    const files = load.files.map(({ range }) => range)
    this.#loads += 1
    const { raw, out } = load.space
    const made = pool.run({ kind: 'squeeze', compression, raw: raw.subarray(0, load.used), out, parts, files })
    made.catch(() => undefined) // it is awaited when it is its turn
    this.#then(async () => this.#made(load, await made))
  }

  async #made(load: Load, { pieces, sums }: Squeezed): Promise<void> {
    load.files.forEach(({ entry }, at) => (entry.sha256 = sums[at]))
    const bytes = pieces.reduce((sum, [length]) => sum + length, 0)
    await this.#write(load.space.out.subarray(0, bytes), rawBytesOf(pieces))
    this.loader.reuse(load.space)
    for (const [at, { slab, isLast }] of load.parts.entries()) {
      slab.pieces.push(...pieces.slice(at, at + 1))
      if (isLast) await this.#index.slab(slabOf(slab.pieces, slab.entries.map(lineOf)))
    }
    this.#loads -= 1
    this.#whenLess?.()
  }

  async #copy(from: number, count: number): Promise<void> {
    if (this.#last === undefined) throw new Error('there is nothing to copy')
    for await (const run of this.#last.runs(from, count, this.#options.pool)) {
      await this.#write(run.bytes, rawBytesOf(run.pieces))
      for (const slab of run.ended) await this.#index.slab(slab)
      this.#options.signal?.throwIfAborted()
    }
  }

  async #write(bytes: Uint8Array, raw: number): Promise<void> {
    const writing = this.#file.appendFile(bytes)
    this.#hash.update(bytes)
    await writing
    this.#bytes += bytes.length
    this.#raw += raw
    this.#options.onBytes(this.#raw)
    if (this.#bytes - this.#synced < syncedEvery) return
    this.#synced = this.#bytes
    await this.#syncing
    this.#syncing = this.#file.datasync()
    this.#syncing.catch(() => undefined) // the next one, or the end, tells it
  }
}
