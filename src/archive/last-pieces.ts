// Reads what is taken over from the last archive: its pieces as they lie, some at a time, each held against its hash on the way.
import { open, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { NetopsError } from '../model/errors.ts'
import { IndexReader } from './index-file.ts'
import type { ArchivePlace, Manifest } from './manifest.ts'
import { bytesOfSlab, type Piece, type Slab } from './slab.ts'
import { SharedSpace } from './threads/memory.ts'
import type { ThreadPool } from './threads/pool.ts'

/** An archive of which slabs are taken. */
export interface LastArchive {
  readonly place: ArchivePlace
  readonly manifest: Manifest
}

export const indexOf = ({ place, manifest }: LastArchive): IndexReader =>
  new IndexReader(join(place.folder, manifest.index.file), manifest.index)

/** Consecutive pieces. Their bytes are valid until the next run is asked for. */
interface Run {
  readonly bytes: Uint8Array
  readonly pieces: readonly Piece[]
  /** Slabs whose last piece is among them. */
  readonly ended: readonly Slab[]
}

const runBytes = 1 << 20

/** The last archive is not what it was when it was made: nothing of it may be taken over. */
const damaged = (message: string): NetopsError => new NetopsError('damaged', { message })

export class LastPieces {
  readonly #file: FileHandle
  readonly #slabs: AsyncGenerator<Slab, void, undefined>
  /** One is read into while the other is in use. */
  readonly #spaces = [new SharedSpace(), new SharedSpace()] as const
  #turn: 0 | 1 = 0
  #number = 0
  #at = 0

  private constructor(file: FileHandle, last: LastArchive) {
    this.#file = file
    this.#slabs = indexOf(last).slabs()
  }

  static async open(last: LastArchive): Promise<LastPieces> {
    return new LastPieces(await open(join(last.place.folder, last.manifest.archive.file), 'r'), last)
  }

  /**
   * Reads consecutive slabs, of which those before were read or passed.
   * @throws NetopsError `damaged` where anything is not as it was
   */
  async *runs(from: number, count: number, pool: ThreadPool): AsyncGenerator<Run, void, undefined> {
    for (; this.#number < from; this.#number += 1) this.#at += bytesOfSlab(await this.#take())
    let ahead: Promise<Run> | undefined
    for await (const { pieces, ended } of this.#cut(count)) {
      const reading = this.#read(pieces, ended, pool)
      reading.catch(() => undefined) // it is awaited in the next round
      if (ahead !== undefined) yield await ahead
      ahead = reading
    }
    if (ahead !== undefined) yield await ahead
  }

  /** Takes so many slabs, cut into runs of about {@link runBytes}: a large file's pieces are not read at once. */
  async *#cut(count: number): AsyncGenerator<Omit<Run, 'bytes'>, void, undefined> {
    let [pieces, ended, length]: [Piece[], Slab[], number] = [[], [], 0]
    for (let slabs = 0; slabs < count; slabs += 1) {
      const slab = await this.#take()
      this.#number += 1
      for (const piece of slab.pieces) {
        if (pieces.length > 0 && length + piece[0] > runBytes) {
          yield { pieces, ended }
          ;[pieces, ended, length] = [[], [], 0]
        }
        pieces.push(piece)
        length += piece[0]
      }
      ended.push(slab)
    }
    if (pieces.length > 0) yield { pieces, ended }
  }

  async #read(pieces: readonly Piece[], ended: readonly Slab[], pool: ThreadPool): Promise<Run> {
    const length = pieces.reduce((sum, [bytes]) => sum + bytes, 0)
    const bytes = this.#spaces[this.#turn].take(length)
    this.#turn = this.#turn === 0 ? 1 : 0
    const at = this.#at
    this.#at += length
    const { bytesRead } = await this.#file.read(bytes, 0, length, at)
    if (bytesRead !== length) throw damaged('the last archive is shorter than it was')
    const { bad } = await pool.run({ kind: 'attest', bytes, pieces })
    if (bad !== undefined) throw damaged('a piece of the last archive has another hash than its index says')
    return { bytes, pieces, ended }
  }

  async #take(): Promise<Slab> {
    const { value } = await this.#slabs.next()
    if (value === undefined) throw damaged('the last archive has fewer slabs than it had')
    return value
  }

  async close(): Promise<void> {
    await this.#slabs.return()
    await this.#file.close()
  }
}
