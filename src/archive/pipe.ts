// Bytes that one part of the program gives to another, which may be slower or end early.
import { NetopsError } from '../model/errors.ts'

/** One writer's bytes for one reader, a piece at a time. */
export class Pipe {
  #held: Uint8Array | undefined
  #isOver = false
  #isClosed = false
  #wake: (() => void) | undefined
  isClosedEarly = false

  async write(bytes: Uint8Array): Promise<void> {
    while (this.#held !== undefined && !this.#isClosed) await this.#change()
    if (this.#isClosed) {
      this.isClosedEarly = true
      throw new NetopsError('failed', { message: 'tar takes no more' })
    }
    this.#held = bytes
    this.#wakeUp()
  }

  end(): void {
    this.#isOver = true
    this.#wakeUp()
  }

  /** Nobody reads any more. */
  close(): void {
    this.#isClosed = true
    this.#wakeUp()
  }

  async *read(): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      const bytes = this.#held
      this.#held = undefined
      this.#wakeUp()
      if (bytes !== undefined) yield bytes
      else if (this.#isOver) return
      else await this.#change()
    }
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      const before = this.#wake
      this.#wake = () => {
        before?.()
        resolve()
      }
    })
  }

  #wakeUp(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }
}
