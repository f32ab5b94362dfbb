// Cuts a stream of bytes into lines.
import { TooMuch } from './bounded.ts'

// A line without an end must not fill memory: it is passed on in pieces of this size.
const longestPiece = 64 * 1024
const newline = 0x0a

/** A line that may not come in pieces. */
export interface WholeLines {
  /** In bytes. */
  readonly most: number
  /** Whose lines they are, for the failure: `web1: the journal of a run, a line`. */
  readonly what: string
}

/** Cuts bytes into lines as they come; the lines are without their ends. */
export class LineCutter {
  #begun: Uint8Array[] = []
  #length = 0
  readonly #whole: WholeLines | undefined

  /** @param whole a line that is longer is refused; without it, it comes in pieces of 64 KiB */
  constructor(whole?: WholeLines) {
    this.#whole = whole
  }

  /**
   * The lines that are whole now.
   * @throws NetopsError `failed` for a line that is longer than it may be
   */
  push(bytes: Uint8Array): readonly Uint8Array[] {
    const most = this.#whole?.most ?? longestPiece
    const lines: Uint8Array[] = []
    let rest = bytes
    while (rest.length > 0) {
      const end = rest.indexOf(newline)
      const length = this.#length + (end < 0 ? rest.length : end)
      if (length > most) {
        if (this.#whole !== undefined) throw new TooMuch(this.#whole.what, most, length)
        const piece = most - this.#length
        lines.push(this.#line(rest.subarray(0, piece)))
        rest = rest.subarray(piece)
      } else if (end < 0) {
        // A copy: whoever gave the bytes may use them again.
        this.#begun.push(Uint8Array.from(rest))
        this.#length = length
        break
      } else {
        lines.push(this.#line(rest.subarray(0, end)))
        rest = rest.subarray(end + 1)
      }
    }
    return lines
  }

  /** What is left at the end: a last line without an end, if there is one. */
  end(): readonly Uint8Array[] {
    return this.#length === 0 ? [] : [this.#line(new Uint8Array())]
  }

  #line(last: Uint8Array): Uint8Array {
    const line = this.#begun.length === 0 ? last : Buffer.concat([...this.#begun, last])
    this.#begun = []
    this.#length = 0
    return line
  }
}
