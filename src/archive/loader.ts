// Collects the bytes of slabs, and hands them to threads in loads of some MB: what of a load belongs to one slab becomes a piece.
import { createHash, type Hash } from 'node:crypto'
import type { Entry } from './entries.ts'
import { pieceBytes } from './slab-cut.ts'
import type { Piece } from './slab.ts'
import { sharedBytes } from './threads/memory.ts'
import { mostOut, type Range } from './threads/tasks.ts'

/** An entry that is being written: the hash is known when its load is done. */
export type EntryInMaking = { -readonly [Key in keyof Entry]: Entry[Key] }

/** A slab that is being written. */
export interface SlabInMaking {
  readonly entries: EntryInMaking[]
  readonly pieces: Piece[]
}

/** Memory for a load, which threads share: what is compressed, and what comes of it. */
export interface LoadSpace {
  readonly raw: Buffer
  readonly out: Buffer
}

/** What a thread compresses at once. */
export interface Load {
  readonly space: LoadSpace
  /** How many bytes there are. */
  readonly used: number
  readonly parts: readonly { readonly slab: SlabInMaking; readonly range: Range; readonly isLast: boolean }[]
  /** Files that lie in it wholly. */
  readonly files: readonly { readonly entry: EntryInMaking; readonly range: Range }[]
}

// A message to a thread and back costs as much as compressing a few KB.
const worthSending = 2 << 20

/** Takes slabs byte by byte. */
export class Loader {
  readonly #send: (load: Load) => void
  readonly #free: LoadSpace[] = []
  #space: LoadSpace | undefined
  #used = 0
  #parts: { slab: SlabInMaking; range: Range; isLast: boolean }[] = []
  #files: { entry: EntryInMaking; range: Range }[] = []
  #slab: SlabInMaking | undefined
  #slabFrom = 0
  #file: { readonly entry: EntryInMaking; from: number; hash: Hash | undefined } | undefined

  constructor(send: (load: Load) => void) {
    this.#send = send
  }

  /** Takes back the memory of a load. */
  reuse(space: LoadSpace): void {
    this.#free.push(space)
  }

  /** @param rough about how many bytes it will have */
  beginSlab(slab: SlabInMaking, rough: number): void {
    if (this.#used > 0 && this.#used + rough > pieceBytes) this.flush()
    this.#slab = slab
    this.#slabFrom = this.#used
  }

  append(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      // Not before there is more: what ends a slab is never nothing.
      if (this.#used === pieceBytes) this.#cut()
      this.#space ??= this.#free.pop() ?? { raw: sharedBytes(pieceBytes), out: sharedBytes(mostOut) }
      const taken = Math.min(bytes.length - at, pieceBytes - this.#used)
      this.#space.raw.set(taken === bytes.length ? bytes : bytes.subarray(at, at + taken), this.#used)
      this.#used += taken
      at += taken
    }
  }

  /** What is appended from now on is this file's data. */
  beginFile(entry: EntryInMaking): void {
    this.#file = { entry, from: this.#used, hash: undefined }
  }

  endFile(): void {
    const file = this.#file
    this.#file = undefined
    if (file === undefined) return
    if (file.hash === undefined) this.#files.push({ entry: file.entry, range: [file.from, this.#used] })
    else file.entry.sha256 = file.hash.update(this.#since(file.from)).digest('hex')
  }

  /** Ends the slab; one without entries is none. */
  endSlab(): void {
    if (this.#slab !== undefined) this.#endPart(true)
    this.#slab = undefined
    if (this.#used >= worthSending) this.flush()
  }

  /** Hands over what there is. */
  flush(): void {
    if (this.#slab !== undefined && this.#used > this.#slabFrom) this.#endPart(false)
    const space = this.#space
    if (space !== undefined && this.#parts.length > 0) {
      this.#space = undefined
      this.#send({ space, used: this.#used, parts: this.#parts, files: this.#files })
    }
    this.#used = 0
    this.#slabFrom = 0
    this.#parts = []
    this.#files = []
  }

  /** The buffer is full in the midst of a slab. A file that goes on is hashed here, in order. */
  #cut(): void {
    const file = this.#file
    if (file !== undefined) {
      file.hash = (file.hash ?? createHash('sha256')).update(this.#since(file.from))
      file.from = 0
    }
    this.flush()
  }

  #since(from: number): Uint8Array {
    return this.#space === undefined ? new Uint8Array() : this.#space.raw.subarray(from, this.#used)
  }

  #endPart(isLast: boolean): void {
    const slab = this.#slab
    if (slab === undefined || (isLast && slab.entries.length === 0)) return
    this.#parts.push({ slab, range: [this.#slabFrom, this.#used], isLast })
    this.#slabFrom = this.#used
  }
}
