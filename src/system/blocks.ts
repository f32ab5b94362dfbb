// A file as blocks of one size with a hash each: how two machines find out what both of them have.
import { hash } from 'node:crypto'
import { open } from 'node:fs/promises'

/** Two builds of one Node with other bundles share all but a few of these (docs/decisions.md). */
export const blockSize = 64 * 1024
// 128 bits find equal blocks; that the file made of them is the right one, its own whole hash says.
const digits = 32
const blocksAtOnce = 16

export interface Blocks {
  /** In bytes; the last block ends here. */
  readonly size: number
  readonly hashes: readonly string[]
}

/** The hash of a block from its SHA-256. */
export const blockHash = (sha256: string): string => sha256.slice(0, digits)

/** Reads a file once, a few blocks at a time, and gives the hash of each. */
export async function* hashBlocks(path: string): AsyncGenerator<string> {
  const handle = await open(path, 'r')
  try {
    const buffer = Buffer.allocUnsafe(blocksAtOnce * blockSize)
    for (let filled = buffer.length; filled === buffer.length;) {
      filled = 0
      while (filled < buffer.length) {
        const { bytesRead } = await handle.read(buffer, filled, buffer.length - filled)
        if (bytesRead === 0) break
        filled += bytesRead
      }
      for (let at = 0; at < filled; at += blockSize) {
        yield blockHash(hash('sha256', buffer.subarray(at, Math.min(at + blockSize, filled))))
      }
    }
  } finally {
    await handle.close()
  }
}
