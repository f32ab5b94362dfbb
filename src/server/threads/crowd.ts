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
  /**
   * Says who of one's own gives way first.
   * @param rank the lower, the sooner; Infinity where nobody does
   */
  readonly first: (rank: number) => void
  /**
   * Has somebody else close one of theirs, which is free from now on.
   * @param before only one that gives way sooner than this rank
   * @returns false where nobody has one
   */
  readonly askOthers: (before: number) => boolean
}

/** For who is alone. */
export function aloneCrowd(): Crowd {
  let count = 0
  return {
    open: () => count,
    addOpen: (change) => (count += change),
    addMayGiveWay: () => undefined,
    first: () => undefined,
    askOthers: () => false,
  }
}

/**
 * The crowd of a thread among others.
 * @param tell has a thread close one of its connections
 */
export function threadCrowd(shared: Shared, own: number, tell: (thread: number) => void): Crowd {
  return {
    open: shared.open,
    addOpen: shared.addOpen,
    addMayGiveWay: (change) => shared.addMayGiveWay(own, change),
    first: (rank) => shared.setFirst(own, rank),
    askOthers(before) {
      const others = Array.from({ length: shared.threads }, (_, thread) => ({ thread, rank: shared.first(thread) }))
        .filter(({ thread, rank }) => thread !== own && rank < before)
        .sort((one, other) => one.rank - other.rank)
      for (const { thread } of others) {
        if (!shared.claim(thread)) continue
        shared.addOpen(-1)
        tell(thread)
        return true
      }
      return false
    },
  }
}
