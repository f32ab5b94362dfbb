// How many connections are open in all threads, and which of them can make room: what the places of a thread are given of
// the others.
import type { Shared } from './shared.ts'

export interface Crowd {
  /** Connections of everybody, less those that are promised to be closed. */
  readonly open: () => number
  /** @returns how many are open with the change */
  readonly addOpen: (change: number) => number
  /** So many more, or less, of one's own may be closed to make room. */
  readonly addMayGiveWay: (change: number) => void
  /** Has somebody else close one of theirs. @returns false where nobody can; the place is free from now on */
  readonly askOthers: () => boolean
}

/** For who is alone. */
export function aloneCrowd(): Crowd {
  let count = 0
  return {
    open: () => count,
    addOpen: (change) => (count += change),
    addMayGiveWay: () => undefined,
    askOthers: () => false,
  }
}

/**
 * The crowd of a thread among others.
 * @param tell has a thread close one of its connections
 */
export function threadCrowd(shared: Shared, own: number, tell: (thread: number) => void): Crowd {
  // Everybody begins with the next one, so that not all ask the same.
  let next = own + 1
  return {
    open: shared.open,
    addOpen: shared.addOpen,
    addMayGiveWay: (change) => shared.addMayGiveWay(own, change),
    askOthers() {
      for (let tried = 0; tried < shared.threads; tried += 1) {
        const thread = (next + tried) % shared.threads
        if (thread === own || !shared.claim(thread)) continue
        next = thread + 1
        shared.addOpen(-1)
        tell(thread)
        return true
      }
      return false
    },
  }
}
