// Where an archive is cut into slabs. A cut hangs on the names alone, so that a change leaves all slabs but its own as they
// were: the next archive can take those as they lie. Pure.
import { roughBytes, type Seen } from './entries.ts'

/** As much as is compressed at once: of larger slabs several pieces are made. */
export const pieceBytes = 4 << 20
// With room for headers that turn out longer than they were counted.
const mostBytes = pieceBytes - (256 << 10)

// A slab of small files is made anew when one of them changes: with 100,000 of them and 1% changed at random, slabs of 20
// entries leave 82% of the archive as it was, such of 1 MB (500 entries) 1%. Compression loses a few percent by it. The least
// number is small beside that: the more cuts hang on names alone, the sooner they are the same again after what was added.
const bigFile = 1 << 20
const leastEntries = 4
const usualEntries = 16
const mostEntries = 128
// From here on any chance is taken.
const enoughBytes = 1 << 20
const fewEntries = 4

/** Cuts entries, in their order, into slabs. */
export class SlabCutter {
  #bytes = 0
  #entries = 0
  #lastWasBig = false

  /** @returns whether a slab begins with this entry; takes it into the slab */
  beginsWith(seen: Pick<Seen, 'name' | 'size'>): boolean {
    const bytes = roughBytes(seen)
    const isBig = bytes > bigFile
    const begins = this.#entries > 0 && (isBig || this.#lastWasBig || this.#isFull(bytes) || this.#mayEnd(seen.name))
    if (begins) {
      this.#bytes = 0
      this.#entries = 0
    }
    this.#bytes += bytes
    this.#entries += 1
    this.#lastWasBig = isBig
    return begins
  }

  #isFull(bytes: number): boolean {
    return this.#entries >= mostEntries || this.#bytes + bytes > mostBytes
  }

  #mayEnd(name: string): boolean {
    if (this.#bytes >= enoughBytes) return isOneOf(fewEntries, name)
    return this.#entries >= leastEntries && isOneOf(usualEntries, name)
  }
}

/**
 * One name in so many, a power of two: by FNV-1a, mixed once more, for the last characters of names, which differ most, hardly
 * reach its upper bits.
 */
function isOneOf(many: number, name: string): boolean {
  let hash = 0x811c9dc5
  for (let at = 0; at < name.length; at += 1) hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b)
  return (hash ^ (hash >>> 13)) >>> 0 < 2 ** 32 / many
}
