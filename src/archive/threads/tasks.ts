// What threads do with pieces of an archive: compress, decompress, hash, compare. Pure.
import { createHash, hash, type Hash } from 'node:crypto'
import { entryOf, type Entry } from '../entries.ts'
import { compress, decompress, spareBytes, type Compression } from '../compression.ts'
import { TarScanner, type TarEntry } from '../tar-scanner.ts'
import { messageOf } from '../../model/errors.ts'
import { shownName } from '../names.ts'
import { pieceBytes } from '../slab-cut.ts'
import { linesIn, type Piece } from '../slab.ts'

/** From one byte up to another. */
export type Range = readonly [from: number, to: number]

export interface Squeeze {
  readonly kind: 'squeeze'
  readonly compression: Compression
  /** Shared memory, as `out` is. */
  readonly raw: Uint8Array
  /** Where the pieces are written, one after the other: {@link mostOut} bytes. */
  readonly out: Uint8Array
  /** Each becomes a piece. */
  readonly parts: readonly Range[]
  /** Each is hashed. */
  readonly files: readonly Range[]
}

// A part has a header of 512 bytes at least, so there are 8,192 of them at most; what cannot be compressed becomes longer by far
// less than an eighth of a thousandth and 64 bytes a piece (RFC 1951, 3.2.4; zstd.h, ZSTD_COMPRESSBOUND).
/** How many bytes may come of one task. */
export const mostOut = pieceBytes + (pieceBytes >> 7) + (pieceBytes / 512) * 128

export interface Squeezed {
  readonly pieces: readonly Piece[]
  /** Hexadecimal. */
  readonly sums: readonly string[]
}

/** Looks whether pieces are as they should be. */
export interface Attest {
  readonly kind: 'attest'
  /** Shared memory. */
  readonly bytes: Uint8Array
  readonly pieces: readonly Piece[]
}

export interface Attested {
  /** Which piece is not, if one is not. */
  readonly bad: number | undefined
}

/** Decompresses a piece of a slab that has several. */
export interface Inflate {
  readonly kind: 'inflate'
  readonly compression: Compression
  /** Shared memory. */
  readonly bytes: Uint8Array
  readonly piece: Piece
  /** Shared memory for what comes of it, with {@link spareBytes} to spare; without it, it is looked at and thrown away. */
  readonly out: Uint8Array | undefined
}

export interface Inflated {
  readonly damage: string | undefined
}

/** Holds slabs of one piece each against the index. */
export interface Compare {
  readonly kind: 'compare'
  readonly compression: Compression
  /** Shared memory: the pieces, one after the other. */
  readonly bytes: Uint8Array
  /** Shared memory: their lines in the index, one slab's after the other's. */
  readonly text: Uint8Array
  readonly slabs: readonly { readonly piece: Piece; readonly entries: number; readonly textBytes: number }[]
  /** What of it is given back: all, or those entries alone that are marked, by their number in all slabs. */
  readonly keep: 'nothing' | 'all' | readonly boolean[]
  /** Shared memory for what is given back, with {@link spareBytes} to spare beyond all that comes of the slabs. */
  readonly out: Uint8Array
  /** Whether each file is hashed too: its piece's hash, which is looked at in any case, shows as much of what was written. */
  readonly isHashed: boolean
}

export interface Compared {
  /** What is not as it should be. */
  readonly damages: readonly string[]
  /** How many bytes are given back; none where anything is damaged. */
  readonly kept: number
}

export type Task = Squeeze | Attest | Inflate | Compare
export type ResultOf<T extends Task> = T extends Squeeze
  ? Squeezed
  : T extends Attest
    ? Attested
    : T extends Inflate
      ? Inflated
      : Compared

const isPiece = (bytes: Uint8Array, [, , sha256]: Piece): boolean => hash('sha256', bytes, 'base64url') === sha256

/** @returns the result of a task; bytes that come of it lie in the memory that it names */
export function perform(task: Task): Squeezed | Attested | Inflated | Compared {
  switch (task.kind) {
    case 'squeeze':
      return squeeze(task)
    case 'attest':
      return attest(task)
    case 'inflate':
      return inflate(task)
    case 'compare':
      return compare(task)
  }
}

function squeeze({ compression, raw, out, parts, files }: Squeeze): Squeezed {
  let at = 0
  const pieces = parts.map(([from, to]): Piece => {
    const length = compress(raw.subarray(from, to), out.subarray(at), compression)
    const piece = out.subarray(at, at + length)
    at += length
    return [length, to - from, hash('sha256', piece, 'base64url')]
  })
  return { pieces, sums: files.map(([from, to]) => hash('sha256', raw.subarray(from, to))) }
}

function attest({ bytes, pieces }: Attest): Attested {
  let at = 0
  const bad = pieces.findIndex((piece) => {
    const good = isPiece(bytes.subarray(at, at + piece[0]), piece)
    at += piece[0]
    return !good
  })
  return { bad: bad < 0 ? undefined : bad }
}

/** For what is looked at and not given back. */
let scratch = new Uint8Array(0)

function scratchOf(length: number): Uint8Array {
  if (scratch.length < length + spareBytes) scratch = new Uint8Array(length + spareBytes)
  return scratch
}

function inflate({ compression, bytes, piece, out }: Inflate): Inflated {
  const [, length] = piece
  if (!isPiece(bytes, piece)) return { damage: 'a piece has another hash than the index says' }
  try {
    decompress(bytes, out ?? scratchOf(length), length, compression)
    return { damage: undefined }
  } catch (error) {
    return { damage: messageOf(error) }
  }
}

function compare({ compression, bytes, text, slabs, keep, out, isHashed }: Compare): Compared {
  const damages: string[] = []
  let [at, textAt, number, kept] = [0, 0, 0, 0]
  for (const { piece, entries, textBytes } of slabs) {
    const found = bytes.subarray(at, at + piece[0])
    const lines = linesIn(text.subarray(textAt, textAt + textBytes))
    at += piece[0]
    textAt += textBytes
    try {
      if (!isPiece(found, piece)) damages.push(`a piece has another hash than the index says: ${firstOf(lines)}`)
      const [, length] = piece
      const room = keep === 'all' ? out.subarray(kept) : scratchOf(length)
      decompress(found, room, length, compression)
      const whole = room.subarray(0, length)
      const comparison = new Comparison(lines.map(entryOf), isHashed)
      comparison.push(whole)
      comparison.end()
      if (keep === 'all') kept += length
      for (const [index, [from, to]] of typeof keep === 'string' ? [] : comparison.ranges.entries()) {
        if (keep[number + index] !== true) continue
        out.set(whole.subarray(from, to), kept)
        kept += to - from
      }
    } catch (error) {
      damages.push(`${messageOf(error)}: ${firstOf(lines)}`)
    }
    number += entries
  }
  return { damages, kept: damages.length > 0 ? 0 : kept }
}

const firstOf = (lines: readonly string[]): string => {
  const [first] = lines
  return first === undefined ? 'at the end' : `in what begins with ${shownName(entryOf(first).name)}`
}

const types: Readonly<Record<Entry['kind'], string>> = { file: '0', hardlink: '1', link: '2', folder: '5' }

/** Holds a slab's tar against its entries in the index, as it comes. */
export class Comparison {
  readonly #entries: readonly Entry[]
  readonly #scanner: TarScanner
  /** Where each entry lies in what came. */
  readonly ranges: Range[] = []
  #file: FileSum | undefined
  #at = 0
  #begun = 0

  /** @param isHashed whether each file's hash is held against the index too */
  constructor(entries: readonly Entry[], isHashed: boolean) {
    this.#entries = entries
    this.#scanner = new TarScanner({
      entry: (found, head) => {
        this.#begun = this.#at
        this.#at += head.length
        this.#expect(found)
        this.#file = isHashed && found.type === '0' ? new FileSum(found.stored) : undefined
      },
      data: (bytes) => {
        this.#at += bytes.length
        this.#file?.take(bytes)
      },
      over: (padding) => {
        this.#at += padding
        this.#over()
      },
    })
  }

  /** @throws NetopsError `damaged`, also where it is not what the index says */
  push(bytes: Uint8Array): void {
    this.#scanner.push(bytes)
  }

  /** Passes bytes of a file that are known to be as they were written. @throws NetopsError `damaged` where they are more */
  skip(bytes: number): void {
    this.#scanner.skip(bytes)
  }

  end(): void {
    if (!this.#scanner.isBetween || this.#scanner.hasEnded || this.ranges.length !== this.#entries.length) {
      throw new Error('the tar ends elsewhere than the index says')
    }
  }

  #expect(found: TarEntry): void {
    const entry = this.#entries[this.ranges.length]
    if (entry === undefined) throw new Error(`${shownName(found.name)} is not in the index`)
    const name = shownName(entry.name)
    if (found.name !== entry.name) throw new Error(`${shownName(found.name)} lies where the index has ${name}`)
    if (found.type !== types[entry.kind]) throw new Error(`${name} is of another type than the index says`)
    if (found.target !== (entry.target ?? '')) throw new Error(`${name} leads elsewhere than the index says`)
    const same =
      (entry.kind === 'hardlink' ||
        (found.mode === entry.mode && found.uid === entry.uid && found.gid === entry.gid)) &&
      (entry.kind === 'hardlink' || found.mtime === entry.mtime) &&
      (entry.kind !== 'file' || (found.size === entry.size && found.sparse === (entry.sparse === true)))
    if (!same) throw new Error(`${name} has another size, mode, owner or time than the index says`)
  }

  #over(): void {
    const entry = this.#entries[this.ranges.length]
    this.ranges.push([this.#begun, this.#at])
    if (this.#file === undefined || entry === undefined) return
    if (this.#file.end() !== entry.sha256)
      throw new Error(`${shownName(entry.name)} has another hash than the index says`)
  }
}

/** The hash of a file, which mostly comes whole: then it is taken at once, which costs less. */
class FileSum {
  readonly #bytes: number
  #sum: string | undefined
  #hash: Hash | undefined

  /** @param bytes how many it has */
  constructor(bytes: number) {
    this.#bytes = bytes
  }

  take(bytes: Uint8Array): void {
    if (bytes.length === this.#bytes) this.#sum = hash('sha256', bytes)
    else this.#hash = (this.#hash ?? createHash('sha256')).update(bytes)
  }

  /** @returns it in hexadecimal */
  end(): string {
    return this.#sum ?? (this.#hash ?? createHash('sha256')).digest('hex')
  }
}
