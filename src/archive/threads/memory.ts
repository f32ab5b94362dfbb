// Memory that threads share: what lies in it is seen by all, and is neither copied nor collected between two pieces of work.

/** @returns bytes of their own that a message to a thread does not copy; the system gives them when they are first written */
export const sharedBytes = (length: number): Buffer => Buffer.from(new SharedArrayBuffer(length))

/** Shared memory that is used again and again, as large as what was most. */
export class SharedSpace {
  #bytes: Buffer = Buffer.alloc(0)

  /** @returns so many bytes of it, with whatever was there */
  take(length: number): Buffer {
    // With some more, so that it does not grow by a little each time.
    if (this.#bytes.length < length) this.#bytes = sharedBytes(length + (length >> 2))
    return this.#bytes.subarray(0, length)
  }
}
