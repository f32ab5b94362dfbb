// One piece of an archive, compressed by itself: a gzip member (RFC 1952) or a zstd frame (RFC 8878) with its checksum.
import { constants, gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { messageOf, NetopsError } from '../model/errors.ts'

/** `gzip` as the guide has it (Backup Strategy), `zstd` where the hosts' tar knows it. */
export type Compression = 'gzip' | 'zstd'

export const suffixes: Readonly<Record<Compression, string>> = { gzip: '.tar.gz', zstd: '.tar.zst' }

// What comes of a piece is collected in chunks of such a size: few, but memory that is not needed takes time to get.
const chunkOf = (bytes: Uint8Array): number => Math.min(512 << 10, Math.max(4096, bytes.length >> 1))

/**
 * Compresses a piece. The same bytes always give the same piece.
 * @param bytes at most some MB: it is done at once, for threads
 */
export function compressed(bytes: Uint8Array, compression: Compression): Buffer {
  const chunkSize = chunkOf(bytes)
  if (compression === 'gzip') return gzipSync(bytes, { chunkSize })
  return zstdCompressSync(bytes, {
    chunkSize,
    pledgedSrcSize: bytes.length,
    // Without it most flipped bits go unnoticed by zstd.
    params: { [constants.ZSTD_c_checksumFlag]: 1, [constants.ZSTD_c_compressionLevel]: 3 },
  })
}

/**
 * Decompresses a piece.
 * @param length how many bytes come of it, exactly: no more are made
 * @throws NetopsError `damaged` where it is damaged, or of another length
 */
export function decompressed(piece: Uint8Array, length: number, compression: Compression): Buffer {
  const options = { maxOutputLength: Math.max(1, length), chunkSize: Math.max(64, length) }
  let bytes: Buffer
  try {
    bytes = compression === 'gzip' ? gunzipSync(piece, options) : zstdDecompressSync(piece, options)
  } catch (error) {
    throw new NetopsError('damaged', { message: `a piece cannot be decompressed: ${messageOf(error)}`, cause: error })
  }
  if (bytes.length === length) return bytes
  throw new NetopsError('damaged', { message: `a piece has ${bytes.length} bytes instead of ${length}` })
}
