// A slab as the index has it: consecutive entries, and the pieces in which they lie. Pure.

/** A piece of an archive: its bytes there, those that come of it, and its SHA-256 (base64url). */
export type Piece = readonly [bytes: number, raw: number, sha256: string]

export interface Slab {
  /** Compressed each by itself, in the order of the archive; more than one where it has a file that is larger than a piece. */
  readonly pieces: readonly Piece[]
  readonly entries: number
  /** A line for each entry (entries.ts), each with the line break that ends it, as it stands in the index. */
  readonly text: Buffer
}

/** @returns a slab with a line for each of its entries */
export const slabOf = (pieces: readonly Piece[], lines: readonly string[]): Slab => ({
  pieces,
  entries: lines.length,
  text: Buffer.from(`${lines.join('\n')}\n`),
})

/** @returns the lines of a text that ends with a line break */
export function linesIn(text: Uint8Array): readonly string[] {
  const lines = Buffer.from(text.buffer, text.byteOffset, text.byteLength).toString('utf8').split('\n')
  lines.pop()
  return lines
}

/** @returns the bytes that a slab takes in the archive */
export const bytesOfSlab = ({ pieces }: Slab): number => pieces.reduce((sum, [bytes]) => sum + bytes, 0)

/** @returns the bytes of the tar that come of it */
export const rawBytesOf = (pieces: readonly Piece[]): number => pieces.reduce((sum, [, raw]) => sum + raw, 0)
