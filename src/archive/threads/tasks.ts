// What threads do with pieces of an archive: compress, decompress, hash, compare. Pure.
import { createHash } from 'node:crypto'
import { entryOf, type Entry } from '../entries.ts'
import { compressed, decompressed, type Compression } from '../compression.ts'
import { TarScanner, type TarEntry } from '../tar-scanner.ts'
import { messageOf } from '../../model/errors.ts'
import { shownName } from '../names.ts'

/** From one byte up to another. */
export type Range = readonly [from: number, to: number]

/** A piece of an archive: its bytes there, those that come of it, and its SHA-256 (base64url). */
export type Piece = readonly [bytes: number, raw: number, sha256: string]

export interface Squeeze {
  readonly kind: 'squeeze'
  readonly compression: Compression
  readonly raw: Uint8Array
  /** Each becomes a piece. */
  readonly parts: readonly Range[]
  /** Each is hashed. */
  readonly files: readonly Range[]
}

export interface Squeezed {
  /** The pieces, one after the other. */
  readonly bytes: Uint8Array
  readonly pieces: readonly Piece[]
  /** Hexadecimal. */
  readonly sums: readonly string[]
  /** What was given, to be used again. */
  readonly raw: Uint8Array
}

/** Looks whether pieces are as they should be. */
export interface Attest {
  readonly kind: 'attest'
  readonly bytes: Uint8Array
  readonly pieces: readonly Piece[]
}

export interface Attested {
  readonly bytes: Uint8Array
  /** Which piece is not, if one is not. */
  readonly bad: number | undefined
}

/** Decompresses a piece of a slab that has several. */
export interface Inflate {
  readonly kind: 'inflate'
  readonly compression: Compression
  readonly bytes: Uint8Array
  readonly piece: Piece
}

export interface Inflated {
  readonly raw: Uint8Array | undefined
  readonly damage: string | undefined
}

/** Holds slabs of one piece each against the index. */
export interface Compare {
  readonly kind: 'compare'
  readonly compression: Compression
  readonly bytes: Uint8Array
  readonly slabs: readonly { readonly piece: Piece; readonly lines: readonly string[] }[]
  /** Give back what came of them: wholly, or of those entries alone that are marked, by their number in all slabs. */
  readonly keep: 'nothing' | 'all' | readonly boolean[]
  /** Whether the pieces' own hashes are looked at: not where the whole archive's is. */
  readonly hashed: boolean
}

export interface Compared {
  /** What is not as it should be. */
  readonly damages: readonly string[]
  /** What was to be given back, where nothing was damaged. */
  readonly raw: readonly Uint8Array[]
}

export type Task = Squeeze | Attest | Inflate | Compare
export type ResultOf<T extends Task> = T extends Squeeze
  ? Squeezed
  : T extends Attest
    ? Attested
    : T extends Inflate
      ? Inflated
      : Compared

const sumOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('base64url')
const isPiece = (bytes: Uint8Array, [, , sha256]: Piece): boolean => sumOf(bytes) === sha256

/** @returns the result of a task, and what of it is handed over instead of copied */
export function perform(task: Task): {
  readonly result: Squeezed | Attested | Inflated | Compared
  readonly given: readonly Uint8Array[]
} {
  switch (task.kind) {
    case 'squeeze': {
      const result = squeeze(task)
      return { result, given: [result.bytes, result.raw] }
    }
    case 'attest': {
      const result = attest(task)
      return { result, given: [result.bytes] }
    }
    case 'inflate': {
      const result = inflate(task)
      return { result, given: result.raw === undefined ? [] : [result.raw] }
    }
    case 'compare': {
      const result = compare(task)
      return { result, given: result.raw }
    }
  }
}

function squeeze({ compression, raw, parts, files }: Squeeze): Squeezed {
  const made = parts.map(([from, to]) => compressed(raw.subarray(from, to), compression))
  const bytes = joined(made)
  const pieces = made.map((piece, at): Piece => {
    const [from = 0, to = 0] = parts[at] ?? []
    return [piece.length, to - from, sumOf(piece)]
  })
  const sums = files.map(([from, to]) => createHash('sha256').update(raw.subarray(from, to)).digest('hex'))
  return { bytes, pieces, sums, raw }
}

/** In memory of its own, which can be handed over: small buffers share theirs. */
function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

function attest({ bytes, pieces }: Attest): Attested {
  let at = 0
  const bad = pieces.findIndex((piece) => {
    const good = isPiece(bytes.subarray(at, at + piece[0]), piece)
    at += piece[0]
    return !good
  })
  return { bytes, bad: bad < 0 ? undefined : bad }
}

function inflate({ compression, bytes, piece }: Inflate): Inflated {
  if (!isPiece(bytes, piece)) return { raw: undefined, damage: 'a piece has another hash than the index says' }
  try {
    return { raw: joined([decompressed(bytes, piece[1], compression)]), damage: undefined }
  } catch (error) {
    return { raw: undefined, damage: messageOf(error) }
  }
}

function compare({ compression, bytes, slabs, keep, hashed }: Compare): Compared {
  const damages: string[] = []
  const raw: Uint8Array[] = []
  let at = 0
  let number = 0
  for (const { piece, lines } of slabs) {
    const found = bytes.subarray(at, at + piece[0])
    at += piece[0]
    const marks = typeof keep === 'string' ? undefined : keep.slice(number, number + lines.length)
    number += lines.length
    try {
      if (hashed && !isPiece(found, piece))
        damages.push(`a piece has another hash than the index says: ${firstOf(lines)}`)
      const whole = decompressed(found, piece[1], compression)
      const comparison = new Comparison(lines.map(entryOf))
      comparison.push(whole)
      comparison.end()
      if (keep === 'all') raw.push(whole)
      if (marks !== undefined) {
        const ranges = comparison.ranges.filter((_, index) => marks[index] === true)
        raw.push(...ranges.map(([from, to]) => whole.subarray(from, to)))
      }
    } catch (error) {
      damages.push(`${messageOf(error)}: ${firstOf(lines)}`)
    }
  }
  return { damages, raw: damages.length > 0 || raw.length === 0 ? [] : [joined(raw)] }
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
  #hash: ReturnType<typeof createHash> | undefined
  #at = 0
  #begun = 0

  constructor(entries: readonly Entry[]) {
    this.#entries = entries
    this.#scanner = new TarScanner({
      entry: (found, head) => {
        this.#begun = this.#at
        this.#at += head.length
        this.#expect(found)
        this.#hash = found.type === '0' ? createHash('sha256') : undefined
      },
      data: (bytes) => {
        this.#at += bytes.length
        this.#hash?.update(bytes)
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
    if (this.#hash === undefined || entry === undefined) return
    if (this.#hash.digest('hex') !== entry.sha256)
      throw new Error(`${shownName(entry.name)} has another hash than the index says`)
  }
}
