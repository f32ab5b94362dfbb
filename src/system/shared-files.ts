// Files that go to many hosts at once: each part is read once for all that are about as far, and few parts are held.
import type { BigIntStats } from 'node:fs'
import { open } from 'node:fs/promises'
import { promisify } from 'node:util'
import { constants, gzip } from 'node:zlib'
import { messageOf, NetopsError } from '../model/errors.ts'

const chunkSize = 1024 * 1024
// With 1 MiB each. A host that is further behind the others than this reads for itself.
const mostHeld = 32
// As many pieces are made ready while one is on its way.
const ahead = 2

/** A part of a file, in bytes. */
export interface Stretch {
  readonly offset: number
  readonly length: number
}

/** A file that is open for one reader. */
export interface SharedFile {
  /** What stands in the stretches, one after the other, and nothing between them. */
  readonly read: (stretches: readonly Stretch[]) => AsyncGenerator<Uint8Array>
  /** The same as a gzip stream, of several members (RFC 1952, 2.2), so that a compressed piece serves every reader too. */
  readonly readZipped: (stretches: readonly Stretch[]) => AsyncGenerator<Uint8Array>
  readonly close: () => Promise<void>
}

/** As much of an open file as reading it takes. */
interface OpenFile {
  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{ readonly bytesRead: number }>
  stat(options: { readonly bigint: true }): Promise<BigIntStats>
  close(): Promise<void>
}
export type Opener = (path: string) => Promise<OpenFile>

/** The files that this process sends; what is held of them is let go with their last reader. */
export class SharedFiles {
  readonly #opener: Opener
  readonly #held = new Map<string, Promise<Uint8Array>>()
  #readers = 0

  constructor(opener: Opener = (path) => open(path, 'r')) {
    this.#opener = opener
  }

  /**
   * Opens a file for one reader; its parts are shared with others who have the same file open, unchanged.
   * @throws NetopsError `failed` when it cannot be read, then and later; `damaged` later when it has changed meanwhile
   */
  async open(path: string): Promise<SharedFile> {
    const handle = await this.#opener(path).catch((error: unknown) => {
      throw cannotRead(path, error)
    })
    const identify = async (): Promise<string> => {
      const { dev, ino, size, mtimeNs } = await handle.stat({ bigint: true })
      return [dev, ino, size, mtimeNs].join(' ')
    }
    const identity = await identify()
    this.#readers += 1
    const chunk = (index: number): Promise<Uint8Array> =>
      this.#hold(`${identity} ${index}`, async () => {
        const bytes = await readChunk(handle, index).catch((error: unknown) => {
          throw cannotRead(path, error)
        })
        if ((await identify()) === identity) return bytes
        throw new NetopsError('damaged', { message: `${path} was changed while it was read` })
      })
    const piece = async ({ offset, length }: Stretch): Promise<Uint8Array> => {
      const from = offset % chunkSize
      const bytes = (await chunk((offset - from) / chunkSize)).subarray(from, from + length)
      if (bytes.length === length) return bytes
      throw new NetopsError('damaged', { message: `${path} is shorter than it was` })
    }
    const zipped = (stretch: Stretch): Promise<Uint8Array> =>
      this.#hold(`${identity} ${stretch.offset}+${stretch.length}`, async () => zip(await piece(stretch)))
    return {
      read: (stretches) => inOrder(stretches, piece),
      readZipped: (stretches) => inOrder(stretches, zipped),
      close: async () => {
        this.#readers -= 1
        if (this.#readers === 0) this.#held.clear()
        await handle.close()
      },
    }
  }

  /** What is asked for again while it is held is not made again; what was not asked for longest goes first. */
  #hold(key: string, make: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const bytes = this.#held.get(key) ?? make()
    this.#held.delete(key)
    this.#held.set(key, bytes)
    // What could not be had now is tried again the next time.
    bytes.catch(() => this.#held.delete(key))
    const [oldest] = this.#held.keys()
    if (this.#held.size > mostHeld && oldest !== undefined) this.#held.delete(oldest)
    return bytes
  }
}

async function readChunk(handle: OpenFile, index: number): Promise<Uint8Array> {
  const buffer = Buffer.allocUnsafe(chunkSize)
  let filled = 0
  while (filled < chunkSize) {
    const { bytesRead } = await handle.read(buffer, filled, chunkSize - filled, index * chunkSize + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return buffer.subarray(0, filled)
}

const compress = promisify(gzip)
/** The quickest level: whoever compresses does so to keep up with a link (docs/benchmarks.md). */
const zip = (bytes: Uint8Array): Promise<Uint8Array> => compress(bytes, { level: constants.Z_BEST_SPEED })

/** No longer than a chunk each, and none over the border of two. */
function* cut(stretches: readonly Stretch[]): Generator<Stretch> {
  for (const { offset, length } of stretches) {
    for (let at = offset; at < offset + length;) {
      const end = Math.min(offset + length, (Math.floor(at / chunkSize) + 1) * chunkSize)
      yield { offset: at, length: end - at }
      at = end
    }
  }
}

async function* inOrder(
  stretches: readonly Stretch[],
  make: (stretch: Stretch) => Promise<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const ready: Promise<Uint8Array>[] = []
  for (const stretch of cut(stretches)) {
    const next = make(stretch)
    // Whoever comes to it hears of it.
    next.catch(() => undefined)
    ready.push(next)
    const first = ready.length > ahead ? ready.shift() : undefined
    if (first !== undefined) yield await first
  }
  for (const rest of ready) yield await rest
}

const cannotRead = (path: string, error: unknown): NetopsError =>
  new NetopsError('failed', { message: `cannot read ${path}: ${messageOf(error)}`, cause: error })
