// Cuts a stream of bytes into lines.

// A line without an end must not fill memory: it is passed on in pieces of this size.
const longestLine = 64 * 1024
const newline = 0x0a

/** Cuts bytes into lines as they come; the lines are without their ends. */
export class LineCutter {
  #begun: Uint8Array = new Uint8Array()

  /** The lines that are whole now. */
  push(bytes: Uint8Array): readonly Uint8Array[] {
    const lines: Uint8Array[] = []
    let rest = this.#begun.length === 0 ? bytes : Buffer.concat([this.#begun, bytes])
    for (;;) {
      const end = rest.indexOf(newline)
      if (end > longestLine || (end < 0 && rest.length > longestLine)) {
        lines.push(rest.subarray(0, longestLine))
        rest = rest.subarray(longestLine)
      } else if (end < 0) break
      else {
        lines.push(rest.subarray(0, end))
        rest = rest.subarray(end + 1)
      }
    }
    // A copy: whoever gave the bytes may use them again.
    this.#begun = Uint8Array.from(rest)
    return lines
  }

  /** What is left at the end: a last line without an end, if there is one. */
  end(): readonly Uint8Array[] {
    const rest = this.#begun
    this.#begun = new Uint8Array()
    return rest.length === 0 ? [] : [rest]
  }
}
