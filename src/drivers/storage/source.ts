// What is stored, read once from front to end: hashed on the way, and told apart from what it was said to be.
import { createHash } from 'node:crypto'
import { constants, promises as fs } from 'node:fs'
import { messageOf, NetopsError } from '../../model/errors.ts'
import type { LocalFile } from '../../system/local-file.ts'
import type { Source } from './port.ts'

const chunkBytes = 2 ** 20

/** A file of this machine as a source; `sha256` and `size` are what it is to have. */
export const fileSource = ({ path, sha256, size }: LocalFile): Source => ({
  size,
  sha256,
  async *read(from) {
    const handle = await fs.open(path, constants.O_RDONLY | constants.O_NOFOLLOW).catch((error: unknown) => {
      throw cannotRead(path, error)
    })
    try {
      for (let at = from; at < size;) {
        const chunk = Buffer.allocUnsafe(Math.min(chunkBytes, size - at))
        const { bytesRead } = await handle.read(chunk, 0, chunk.length, at).catch((error: unknown) => {
          throw cannotRead(path, error)
        })
        if (bytesRead === 0) throw new NetopsError('damaged', { message: `${path} is shorter than it was` })
        at += bytesRead
        yield chunk.subarray(0, bytesRead)
      }
    } finally {
      await handle.close()
    }
  },
})

const cannotRead = (path: string, error: unknown): NetopsError =>
  new NetopsError('failed', { message: `cannot read ${path}: ${messageOf(error)}`, cause: error })

/** A source's bytes from front to end, once. */
export class Reading {
  readonly #source: Source
  readonly #hash = createHash('sha256')
  #at = 0

  constructor(source: Source) {
    this.#source = source
  }

  /**
   * The bytes in pieces of exactly one length, the last one less; an empty source has one empty piece.
   * @throws NetopsError `damaged` at the end, where they are not what the source was said to hold
   */
  async *pieces(length: number): AsyncGenerator<Buffer> {
    let gathered: Buffer[] = []
    let filled = 0
    for await (const chunk of this.#chunks()) {
      for (let at = 0; at < chunk.length;) {
        const part = chunk.subarray(at, at + length - filled)
        gathered.push(part)
        filled += part.length
        at += part.length
        if (filled < length) continue
        yield joined(gathered)
        gathered = []
        filled = 0
      }
    }
    if (filled > 0 || this.#source.size === 0) yield joined(gathered)
    this.#check()
  }

  async *#chunks(): AsyncGenerator<Buffer> {
    for await (const bytes of this.#source.read(0)) {
      const chunk = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      this.#at += chunk.length
      if (this.#at > this.#source.size) this.#check()
      this.#hash.update(chunk)
      yield chunk
    }
  }

  #check(): void {
    if (this.#at === this.#source.size && this.#hash.digest('hex') === this.#source.sha256) return
    const message = 'what was to be stored changed while it was read: it is not what its hash says'
    throw new NetopsError('damaged', { message, hint: 'make it anew, then store it' })
  }
}

const joined = (parts: readonly Buffer[]): Buffer => {
  const [first] = parts
  return parts.length === 1 && first !== undefined ? first : Buffer.concat(parts)
}

/** The hash of as many of its first bytes. */
export async function hashOfBeginning(source: Source, length: number): Promise<string> {
  const hash = createHash('sha256')
  let left = length
  for await (const bytes of source.read(0)) {
    hash.update(bytes.subarray(0, left))
    left -= Math.min(left, bytes.length)
    if (left === 0) break
  }
  return hash.digest('hex')
}
