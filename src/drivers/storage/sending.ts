// How far a put is, over all its tries.
import type { PutOptions, Source } from './port.ts'

/** One put over all its tries. */
export class Sending {
  readonly source: Source
  readonly signal: AbortSignal | undefined
  readonly #tell: PutOptions['onProgress']
  sent = 0
  /** Bytes that are there. */
  reached = 0

  constructor(source: Source, { signal, onProgress }: PutOptions) {
    this.source = source
    this.signal = signal
    this.#tell = onProgress
  }

  /**
   * Tells of what was sent.
   * @param upTo how much of the object is there by now
   * @param sent how much of it was sent for that, also in vain
   */
  arrived(upTo: number, sent: number): void {
    this.reached = upTo
    this.sent += sent
    this.#tell?.({ done: upTo, sent: this.sent, total: this.source.size })
  }
}
