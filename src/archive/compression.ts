// One piece of an archive, compressed by itself: a gzip member (RFC 1952) or a zstd frame (RFC 8878) with its checksum.
import { constants, createGunzip, createGzip, createZstdCompress, createZstdDecompress } from 'node:zlib'
import { NetopsError } from '../model/errors.ts'

/** `gzip` as the guide has it (Backup Strategy), `zstd` where the hosts' tar knows it. */
export type Compression = 'gzip' | 'zstd'

export const suffixes: Readonly<Record<Compression, string>> = { gzip: '.tar.gz', zstd: '.tar.zst' }

/**
 * What node:zlib's own synchronous calls work with. They make a new context, a stream around it and a buffer for each call, which
 * for small pieces takes longer than compressing them, and all of it waits for a whole collection. Here one of each is used again.
 */
interface Native {
  readonly _handle: {
    onerror: (message: string) => void
    reset(): void
    writeSync(flush: number, from: Uint8Array, at: number, length: number, ...to: [Uint8Array, number, number]): void
  }
  /** After a call: how much room is left, and how much of the input. */
  readonly _writeState: Uint32Array
}

class Codec {
  readonly #native: Native
  readonly #compression: Compression
  #failure: string | undefined

  constructor(stream: object, compression: Compression) {
    this.#native = stream as Native
    this.#compression = compression
    this.#native._handle.onerror = (message) => (this.#failure = message)
  }

  /**
   * @returns how many bytes came of a piece, where all of it was taken and they had room to spare; else what was wrong: then it is
   * not to be used again
   */
  run(bytes: Uint8Array, out: Uint8Array): number | string {
    const { _handle: handle, _writeState: state } = this.#native
    // A zstd frame that is over leaves nothing behind, and a reset would take away the options too.
    if (this.#compression === 'gzip') handle.reset()
    const end = this.#compression === 'gzip' ? constants.Z_FINISH : constants.ZSTD_e_end
    handle.writeSync(end, bytes, 0, bytes.length, out, 0, out.length)
    const [room = 0, left = 0] = state
    // One that failed is not used again, so that it is about this piece.
    if (this.#failure !== undefined) return this.#failure
    return left > 0 || room === 0 ? 'it has more bytes than it should' : out.length - room
  }
}

const zstdOptions = {
  params: {
    // Without it most flipped bits go unnoticed by zstd.
    [constants.ZSTD_c_checksumFlag]: 1,
    [constants.ZSTD_c_compressionLevel]: 3,
  },
}

const makers = {
  compress: { gzip: () => createGzip(), zstd: () => createZstdCompress(zstdOptions) },
  decompress: { gzip: () => createGunzip(), zstd: () => createZstdDecompress() },
}

/** This thread's, made when they are first needed. */
const codecs = new Map<string, Codec>()

function run(
  direction: 'compress' | 'decompress',
  compression: Compression,
  ...[bytes, out]: [Uint8Array, Uint8Array]
): number | string {
  const key = `${direction} ${compression}`
  const codec = codecs.get(key) ?? new Codec(makers[direction][compression](), compression)
  const length = codec.run(bytes, out)
  if (typeof length === 'string') codecs.delete(key)
  else codecs.set(key, codec)
  return length
}

/**
 * Compresses a piece. The same bytes always give the same piece.
 * @param bytes at most some MB: it is done at once, for threads
 * @param out where it is written; it must have room for more than can come of it
 * @returns how many bytes it has
 */
export function compress(bytes: Uint8Array, out: Uint8Array, compression: Compression): number {
  const length = run('compress', compression, bytes, out)
  if (typeof length === 'number') return length
  throw new Error(`a piece cannot be compressed: ${length}`)
}

/** How much more room than for what should come {@link decompress} needs: so that it shows if more does. */
export const spareBytes = 64

/**
 * Decompresses a piece.
 * @param out where it is written
 * @param length how many bytes come of it, exactly: no more are made
 * @throws NetopsError `damaged` where it is damaged, or of another length
 */
export function decompress(piece: Uint8Array, out: Uint8Array, length: number, compression: Compression): void {
  const made = run('decompress', compression, piece, out.subarray(0, length + spareBytes))
  if (made === length) return
  const why = typeof made === 'string' ? `cannot be decompressed: ${made}` : `has ${made} bytes instead of ${length}`
  throw new NetopsError('damaged', { message: `a piece ${why}` })
}
