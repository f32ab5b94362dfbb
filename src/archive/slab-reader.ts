// Reads an archive slab by slab, and holds each against the index: threads decompress and hash, this one keeps the order.
import { open, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '../model/errors.ts'
import { BufferCollector } from '../system/heap.ts'
import { spareBytes } from './compression.ts'
import { indexOf, type LastArchive } from './last-pieces.ts'
import { entryOf } from './entries.ts'
import { bytesOfSlab, linesIn, rawBytesOf, type Piece, type Slab } from './slab.ts'
import { endOfTar, isZero } from './tar-header.ts'
import { SharedSpace } from './threads/memory.ts'
import type { ThreadPool } from './threads/pool.ts'
import { Comparison, type Inflated } from './threads/tasks.ts'

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
}

const runBytes = 1 << 20
const runTextBytes = 1 << 20
const givenBytes = 256 << 10

/**
 * Reads an archive's slabs in order. Each piece has the hash that the index says, and holds the entries that it says. Files are
 * hashed too where they are wanted: otherwise their piece's hash shows that they are what was hashed when it was made.
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
interface Turn {
  readonly take: () => Promise<void>
  readonly space: Space
}

/** Memory for what one task needs. */
interface Space {
  readonly bytes: SharedSpace
  readonly text: SharedSpace
  /** For what comes of it. */
  readonly out: SharedSpace
}

class SlabReader {
  readonly #file: FileHandle
  readonly #archive: LastArchive
  readonly #options: ReadOptions
  readonly #turns: Turn[] = []
  readonly #spaces: Space[] = []
  readonly #garbage = new BufferCollector(8 << 20)
  #at = 0
  #slabs = 0
  #entries = 0
  #raw = 0

  constructor(file: FileHandle, archive: LastArchive, options: ReadOptions) {
    this.#file = file
    this.#archive = archive
    this.#options = options
  }

  async read(): Promise<ReadTotals> {
    const index = indexOf(this.#archive)
    let run: Slab[] = []
    let [length, textLength, number] = [0, 0, 0]
    const endRun = async (): Promise<void> => {
      if (run.length > 0) await this.#compare(run, length, textLength)
      run = []
      length = 0
      textLength = 0
    }
    for await (const slab of index.slabs()) {
      const bytes = bytesOfSlab(slab)
      const isChosen = this.#options.chosen?.(slab, number) ?? true
      number += 1
      const isFull = length + bytes > runBytes || textLength + slab.text.length > runTextBytes
      if (!isChosen || slab.pieces.length > 1 || isFull) await endRun()
      if (!isChosen) this.#at += bytes
      else if (slab.pieces.length > 1) await this.#large(slab)
      else {
        run.push(slab)
        length += bytes
        textLength += slab.text.length
      }
    }
    await endRun()
    const last = index.totals?.last
    if (last !== undefined) await this.#end(last)
    while (this.#turns.length > 0) await this.#next()
    const { size } = await this.#file.stat()
    if (size > this.#at) this.#options.onDamage(`the archive has ${size - this.#at} bytes after its end`)
    return { slabs: this.#slabs, entries: this.#entries, raw: this.#raw }
  }

  #space(): Space {
    return this.#spaces.pop() ?? { bytes: new SharedSpace(), text: new SharedSpace(), out: new SharedSpace() }
  }

  /** Reads the next bytes; what is missing at the end is zeros. */
  async #take(length: number, { bytes: space }: Space): Promise<Buffer> {
    const bytes = space.take(length)
    let filled = 0
    while (filled < length) {
      const { bytesRead } = await this.#file.read(bytes, filled, length - filled, this.#at + filled)
      if (bytesRead === 0) break
      filled += bytesRead
    }
    this.#at += length
    return filled === length ? bytes : bytes.fill(0, filled)
  }

  async #compare(slabs: readonly Slab[], length: number, textLength: number): Promise<void> {
    const { pool, wanted } = this.#options
    const space = this.#space()
    const bytes = await this.#take(length, space)
    const text = space.text.take(textLength)
    let at = 0
    for (const slab of slabs) at += slab.text.copy(text, at)
    const marked = typeof wanted === 'function' ? slabs.flatMap((slab) => linesIn(slab.text).map(wanted)) : undefined
    const keep = wanted === 'all' ? wanted : marked?.includes(true) === true ? marked : 'nothing'
    const { compression } = this.#archive.manifest
    const told = slabs.flatMap(({ pieces: [piece], entries, text: { length: textBytes } }) =>
      piece === undefined ? [] : [{ piece, entries, textBytes }],
    )
    const isHashed = keep !== 'nothing'
    const out = space.out.take(isHashed ? rawBytesOf(told.map(({ piece }) => piece)) + spareBytes : 0)
    const comparing = pool.run({ kind: 'compare', compression, bytes, text, slabs: told, keep, out, isHashed })
    await this.#turn(comparing, space, async () => {
      const { damages, kept } = await comparing
      for (const damage of damages) this.#options.onDamage(damage)
      await this.#give(out.subarray(0, kept))
      for (const slab of slabs) this.#count(slab)
    })
  }

  /** Gives on copies: who takes them has them longer than the memory is theirs. */
  async #give(raw: Uint8Array): Promise<void> {
    for (let at = 0; at < raw.length; at += givenBytes) {
      const part = new Uint8Array(raw.subarray(at, at + givenBytes))
      await this.#options.onRaw?.(part)
      this.#garbage.thrown(part.length)
    }
  }

  #count({ pieces, entries }: Slab): void {
    this.#slabs += 1
    this.#entries += entries
    this.#raw += rawBytesOf(pieces)
    this.#options.onBytes(this.#raw)
  }

  /** A slab of several pieces, which can be scanned in order alone: of its bytes nothing is held but what is under way. */
  async #large(slab: Slab): Promise<void> {
    const lines = linesIn(slab.text)
    const { wanted } = this.#options
    const isWanted = wanted === 'all' || (wanted !== undefined && lines.some(wanted))
    const comparison = new Comparison(lines.map(entryOf), isWanted)
    let damage: string | undefined
    const judge = (look: () => void): void => {
      if (damage !== undefined) return
      try {
        look()
      } catch (error) {
        damage = messageOf(error)
      }
    }
    for (const [at, piece] of slab.pieces.entries()) {
      // Of one file the first piece has all headers: what follows is its data, which is looked at where it is wanted.
      const isKept = isWanted || slab.entries > 1 || at === 0
      const space = this.#space()
      const out = isKept ? space.out.take(piece[1] + spareBytes) : undefined
      const raw = out?.subarray(0, piece[1])
      const inflating = this.#inflate(piece, await this.#take(piece[0], space), out)
      await this.#turn(inflating, space, async () => {
        const { damage: found } = await inflating
        damage ??= found
        judge(() => (raw === undefined ? comparison.skip(piece[1]) : comparison.push(raw)))
        if (raw !== undefined && damage === undefined && isWanted) await this.#give(raw)
      })
    }
    await this.#turn(Promise.resolve(), this.#space(), () => {
      judge(() => comparison.end())
      if (damage !== undefined) this.#options.onDamage(damage)
      this.#count(slab)
      return Promise.resolve()
    })
  }

  #inflate(piece: Piece, bytes: Uint8Array, out: Uint8Array | undefined): Promise<Inflated> {
    const { compression } = this.#archive.manifest
    return this.#options.pool.run({ kind: 'inflate', compression, bytes, piece, out })
  }

  async #end(piece: Piece): Promise<void> {
    const space = this.#space()
    const out = space.out.take(piece[1] + spareBytes)
    const inflating = this.#inflate(piece, await this.#take(piece[0], space), out)
    await this.#turn(inflating, space, async () => {
      const { damage } = await inflating
      const raw = out.subarray(0, piece[1])
      const isEnd = damage === undefined && raw.length >= endOfTar.length && isZero(raw, 0, raw.length)
      if (!isEnd) this.#options.onDamage(damage ?? 'the tar inside has no end')
      else if (this.#options.wanted !== undefined) await this.#give(raw)
      this.#raw += piece[1]
    })
  }

  /** Waits until few are under way, and takes its place behind them. */
  async #turn(work: Promise<unknown>, space: Space, take: () => Promise<void>): Promise<void> {
    work.catch(() => undefined) // it is awaited when it is its turn
    this.#turns.push({ take, space })
    while (this.#turns.length > this.#options.pool.room) await this.#next()
  }

  async #next(): Promise<void> {
    this.#options.signal?.throwIfAborted()
    const turn = this.#turns.shift()
    if (turn === undefined) return
    await turn.take()
    this.#spaces.push(turn.space)
  }
}
