// What a command printed, kept up to a limit for both of its streams together; of the rest only the size.
import type { OutputStream } from '../../system/exec.ts'

export class KeptOutput {
  #left: number
  readonly #pieces: Record<OutputStream, Uint8Array[]> = { stdout: [], stderr: [] }
  readonly #more: Record<OutputStream, number> = { stdout: 0, stderr: 0 }

  readonly #weight: (byte: number) => number

  /** @param weight what a byte counts for against the limit */
  constructor(limit: number, weight: (byte: number) => number = () => 1) {
    this.#left = limit
    this.#weight = weight
  }

  push(stream: OutputStream, bytes: Uint8Array): void {
    // A copy: whoever gave the bytes may use them again, and a piece must not keep the whole alive.
    const piece = Uint8Array.from(bytes.subarray(0, this.#fitting(bytes)))
    if (piece.length > 0) this.#pieces[stream].push(piece)
    this.#more[stream] += bytes.length - piece.length
  }

  /** How many of the first bytes fit; they are counted. */
  #fitting(bytes: Uint8Array): number {
    for (const [at, byte] of bytes.entries()) {
      const weight = this.#weight(byte)
      if (weight > this.#left) {
        this.#left = 0
        return at
      }
      this.#left -= weight
    }
    return bytes.length
  }

  bytes(stream: OutputStream): Uint8Array {
    return Buffer.concat(this.#pieces[stream])
  }

  /** `(N more bytes)`, where something is missing. */
  note(stream: OutputStream): string | undefined {
    return this.#more[stream] === 0 ? undefined : `(${this.#more[stream]} more bytes)`
  }

  text(stream: OutputStream): string {
    const note = this.note(stream)
    const text = Buffer.from(this.bytes(stream)).toString('utf8')
    return note === undefined ? text : `${text}\n${note}\n`
  }
}
