// Reads an archive slab by slab, and holds each against the index: threads decompress and hash, this one keeps the order.
import { createHash, type Hash } from 'node:crypto'
import { open, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '../model/errors.ts'
import { indexOf, type LastArchive } from './archive-writer.ts'
import type { Slab } from './index-file.ts'
import { entryOf } from './entries.ts'
import type { ThreadPool } from './threads/pool.ts'
import { Comparison, type Inflated, type Piece } from './threads/tasks.ts'

export interface ReadOptions {
  readonly pool: ThreadPool
  readonly signal: AbortSignal | undefined
  /** Which slabs are read, by number; all, unless this is given. */
  readonly chosen?: ((slab: Slab, number: number) => boolean) | undefined
  /** Which entries' bytes are given; without it none are. */
  readonly wanted?: 'all' | ((line: string) => boolean) | undefined
  /** Hears how many bytes of the tar were gone through. */
  onBytes(raw: number): void
  /** Takes what is wanted, in order. What it returns is waited for. */
  onRaw?(bytes: Uint8Array): Promise<void>
  /** Hears what is not as it should be; nothing of what is damaged is given to {@link onRaw}. */
  onDamage(damage: string): void
}

/** What of an archive was read. */
export interface ReadTotals {
  readonly slabs: number
  readonly entries: number
  readonly raw: number
  /** Of all bytes of the archive, where all of them were read. */
  readonly sha256: string | undefined
}

const runBytes = 1 << 20

/**
 * Reads an archive's slabs in order.
 * @throws NetopsError `damaged` where the index is; what is damaged in the archive itself is told to `onDamage`
 */
export async function readSlabs(archive: LastArchive, options: ReadOptions): Promise<ReadTotals> {
  const file = await open(join(archive.place.folder, archive.manifest.archive.file), 'r')
  try {
    return await new SlabReader(file, archive, options).read()
  } finally {
    await file.close()
  }
}

/** What is being worked on, in order; nothing is given on before it is its turn. */
type Turn = () => Promise<void>

class SlabReader {
  readonly #file: FileHandle
  readonly #archive: LastArchive
  readonly #options: ReadOptions
  readonly #hash: Hash | undefined
  readonly #turns: Turn[] = []
  #at = 0
  #slabs = 0
  #entries = 0
  #raw = 0

  constructor(file: FileHandle, archive: LastArchive, options: ReadOptions) {
    this.#file = file
    this.#archive = archive
    this.#options = options
    this.#hash = options.chosen === undefined ? createHash('sha256') : undefined
  }

  async read(): Promise<ReadTotals> {
    const index = indexOf(this.#archive)
    let run: Slab[] = []
    let length = 0
    let number = 0
    const endRun = async (): Promise<void> => {
      if (run.length > 0) await this.#compare(run, length)
      run = []
      length = 0
    }
    for await (const slab of index.slabs()) {
      const bytes = slab.pieces.reduce((sum, [size]) => sum + size, 0)
      const isChosen = this.#options.chosen?.(slab, number) ?? true
      number += 1
      if (!isChosen || slab.pieces.length > 1 || length + bytes > runBytes) await endRun()
      if (!isChosen) this.#at += bytes
      else if (slab.pieces.length > 1) await this.#large(slab)
      else {
        run.push(slab)
        length += bytes
      }
    }
    await endRun()
    const last = index.totals?.last
    if (last !== undefined) await this.#end(last)
    while (this.#turns.length > 0) await this.#next()
    const sha256 = await this.#rest()
    return { slabs: this.#slabs, entries: this.#entries, raw: this.#raw, sha256 }
  }

  /** What follows the last piece is hashed too, but is nothing that should be there. */
  async #rest(): Promise<string | undefined> {
    const { size } = await this.#file.stat()
    if (size > this.#at) this.#options.onDamage(`the archive has ${size - this.#at} bytes after its end`)
    return this.#hash?.digest('hex')
  }

  async #take(length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafeSlow(length)
    let filled = 0
    while (filled < length) {
      const { bytesRead } = await this.#file.read(bytes, filled, length - filled, this.#at + filled)
      if (bytesRead === 0) break
      filled += bytesRead
    }
    this.#at += length
    this.#hash?.update(bytes.subarray(0, filled))
    if (filled === length) return bytes
    return bytes.fill(0, filled)
  }

  async #compare(slabs: readonly Slab[], length: number): Promise<void> {
    const { pool, wanted } = this.#options
    const bytes = await this.#take(length)
    const marked = typeof wanted === 'function' ? slabs.flatMap(({ lines }) => lines.map(wanted)) : undefined
    const keep = wanted === 'all' ? wanted : marked?.includes(true) === true ? marked : 'nothing'
    const { compression } = this.#archive.manifest
    const pairs = slabs.flatMap(({ pieces: [piece], lines }) => (piece === undefined ? [] : [{ piece, lines }]))
    // Where all is read, one hash over all of it shows as much.
    const hashed = this.#hash === undefined || wanted !== undefined
    const comparing = pool.run({ kind: 'compare', compression, bytes, slabs: pairs, keep, hashed }, [bytes])
    await this.#turn(comparing, async () => {
      const { damages, raw } = await comparing
      for (const damage of damages) this.#options.onDamage(damage)
      for (const part of raw) await this.#options.onRaw?.(part)
      for (const slab of slabs) this.#count(slab)
    })
  }

  #count({ pieces, lines }: Slab): void {
    this.#slabs += 1
    this.#entries += lines.length
    for (const [, raw] of pieces) this.#raw += raw
    this.#options.onBytes(this.#raw)
  }

  /** A slab of several pieces, which can be scanned in order alone: of its bytes nothing is held but what is under way. */
  async #large(slab: Slab): Promise<void> {
    const comparison = new Comparison(slab.lines.map(entryOf))
    const isWanted = this.#options.wanted === 'all' || slab.lines.some((line) => this.#wants(line))
    let damage: string | undefined
    const judge = async (inflated: Promise<Inflated>): Promise<void> => {
      const found = await inflated
      damage ??= found.damage
      if (found.raw === undefined || damage !== undefined) return
      try {
        comparison.push(found.raw)
      } catch (error) {
        damage = messageOf(error)
        return
      }
      if (isWanted) await this.#options.onRaw?.(found.raw)
    }
    for (const piece of slab.pieces) {
      const inflating = this.#inflate(piece, await this.#take(piece[0]))
      await this.#turn(inflating, () => judge(inflating))
    }
    await this.#turn(Promise.resolve(), () => {
      try {
        if (damage === undefined) comparison.end()
      } catch (error) {
        damage = messageOf(error)
      }
      if (damage !== undefined) this.#options.onDamage(damage)
      this.#count(slab)
      return Promise.resolve()
    })
  }

  #wants(line: string): boolean {
    const { wanted } = this.#options
    return typeof wanted === 'function' && wanted(line)
  }

  #inflate(piece: Piece, bytes: Buffer): Promise<Inflated> {
    const { compression } = this.#archive.manifest
    return this.#options.pool.run({ kind: 'inflate', compression, bytes, piece }, [bytes])
  }

  async #end(piece: Piece): Promise<void> {
    const inflating = this.#inflate(piece, await this.#take(piece[0]))
    await this.#turn(inflating, async () => {
      const { raw, damage } = await inflating
      const isEnd = raw !== undefined && raw.length >= 1024 && raw.every((byte) => byte === 0)
      if (!isEnd) this.#options.onDamage(damage ?? 'the tar inside has no end')
      else if (this.#options.wanted !== undefined) await this.#options.onRaw?.(raw)
      this.#raw += piece[1]
    })
  }

  /** Waits until few are under way, and takes its place behind them. */
  async #turn(work: Promise<unknown>, turn: Turn): Promise<void> {
    work.catch(() => undefined) // it is awaited when it is its turn
    this.#turns.push(turn)
    while (this.#turns.length > this.#options.pool.room) await this.#next()
  }

  async #next(): Promise<void> {
    this.#options.signal?.throwIfAborted()
    await this.#turns.shift()?.()
  }
}
