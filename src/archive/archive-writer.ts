// Writes an archive in order, while threads work on what comes next: what was made anew, and what is copied from the last one.
import { createHash } from 'node:crypto'
import { open, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { NetopsError } from '../model/errors.ts'
import type { Compression } from './compression.ts'
import { lineOf } from './entries.ts'
import { IndexReader, IndexWriter, type IndexFacts, type IndexTotals, type Slab } from './index-file.ts'
import { Loader, type Load, type SlabInMaking } from './loader.ts'
import { archiveFile, indexFile, type ArchivePlace, type Manifest } from './manifest.ts'
import { endOfTar } from './tar-header.ts'
import type { ThreadPool } from './threads/pool.ts'
import type { Squeezed } from './threads/tasks.ts'

/** The last archive is not what it was when it was made: nothing of it may be taken over. */
class LastIsDamaged extends NetopsError {
  constructor(message: string, cause?: unknown) {
    super('damaged', { message, cause })
  }
}

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
  readonly #last: LastSlabs | undefined
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
    parts: { file: FileHandle; index: IndexWriter; last: LastSlabs | undefined },
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
      { file, index, last: last === undefined ? undefined : await LastSlabs.open(last) },
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
    const raw = Uint8Array.from(endOfTar)
    const last = await pool.run({ kind: 'squeeze', compression, raw, parts: [[0, endOfTar.length]], files: [] }, [raw])
    await this.#write(last.bytes, endOfTar.length)
    const [piece] = last.pieces
    if (piece === undefined) throw new Error('the end of the tar is no piece')
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
    const made = pool.run({ kind: 'squeeze', compression, raw: load.raw, parts, files }, [load.raw])
    made.catch(() => undefined) // it is awaited when it is its turn
    this.#then(async () => this.#made(load, await made))
  }

  async #made(load: Load, { bytes, pieces, sums, raw }: Squeezed): Promise<void> {
    this.loader.reuse(raw)
    load.files.forEach(({ entry }, at) => (entry.sha256 = sums[at]))
    await this.#write(
      bytes,
      pieces.reduce((sum, [, length]) => sum + length, 0),
    )
    for (const [at, { slab, isLast }] of load.parts.entries()) {
      slab.pieces.push(...pieces.slice(at, at + 1))
      if (isLast) await this.#index.slab(finished(slab))
    }
    this.#loads -= 1
    this.#whenLess?.()
  }

  async #copy(from: number, count: number): Promise<void> {
    if (this.#last === undefined) throw new Error('there is nothing to copy')
    let ahead: Promise<{ readonly slabs: readonly Slab[]; readonly bytes: Uint8Array } | undefined>
    const next = (left: number) => this.#last?.read(from + count - left, left) ?? Promise.resolve(undefined)
    let left = count
    ahead = next(left)
    while (left > 0) {
      const run = await ahead
      if (run === undefined) throw new LastIsDamaged('the last archive has fewer slabs than it had')
      left -= run.slabs.length
      const pieces = run.slabs.flatMap((slab) => slab.pieces)
      const attesting = this.#options.pool.run({ kind: 'attest', bytes: run.bytes, pieces }, [run.bytes])
      ahead = left > 0 ? next(left) : Promise.resolve(undefined)
      ahead.catch(() => undefined) // it is awaited in the next round
      const { bytes, bad } = await attesting
      if (bad !== undefined) throw new LastIsDamaged('a piece of the last archive has another hash than its index says')
      await this.#write(
        bytes,
        pieces.reduce((sum, [, raw]) => sum + raw, 0),
      )
      for (const slab of run.slabs) await this.#index.slab(slab)
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

const finished = ({ pieces, entries }: SlabInMaking): Slab => ({ pieces, lines: entries.map(lineOf) })

/** An archive of which slabs are taken. */
export interface LastArchive {
  readonly place: ArchivePlace
  readonly manifest: Manifest
}

export const indexOf = ({ place, manifest }: LastArchive): IndexReader =>
  new IndexReader(join(place.folder, manifest.index.file), manifest.index)

const runBytes = 1 << 20

/** Reads the last archive's slabs in order, some at a time. */
class LastSlabs {
  readonly #file: FileHandle
  readonly #slabs: AsyncGenerator<Slab, void, undefined>
  #number = 0
  #at = 0
  #held: Slab | undefined

  private constructor(file: FileHandle, last: LastArchive) {
    this.#file = file
    this.#slabs = indexOf(last).slabs()
  }

  static async open(last: LastArchive): Promise<LastSlabs> {
    return new LastSlabs(await open(join(last.place.folder, last.manifest.archive.file), 'r'), last)
  }

  /** @returns some of the slabs from a number on, with their bytes; undefined where there are none */
  async read(
    from: number,
    most: number,
  ): Promise<{ readonly slabs: readonly Slab[]; readonly bytes: Uint8Array } | undefined> {
    for (; this.#number < from; this.#number += 1) this.#at += bytesOf(await this.#take())
    const slabs: Slab[] = []
    let length = 0
    while (slabs.length < most) {
      const slab = await this.#take()
      const bytes = bytesOf(slab)
      if (slab === undefined || (slabs.length > 0 && length + bytes > runBytes)) {
        this.#held = slab
        break
      }
      slabs.push(slab)
      length += bytes
    }
    if (slabs.length === 0) return undefined
    const bytes = new Uint8Array(length)
    const { bytesRead } = await this.#file.read(bytes, 0, length, this.#at)
    if (bytesRead !== length) throw new LastIsDamaged('the last archive is shorter than it was')
    this.#number += slabs.length
    this.#at += length
    return { slabs, bytes }
  }

  async #take(): Promise<Slab | undefined> {
    const held = this.#held
    this.#held = undefined
    if (held !== undefined) return held
    return (await this.#slabs.next()).value ?? undefined
  }

  async close(): Promise<void> {
    await this.#slabs.return()
    await this.#file.close()
  }
}

const bytesOf = (slab: Slab | undefined): number => slab?.pieces.reduce((sum, [bytes]) => sum + bytes, 0) ?? 0
