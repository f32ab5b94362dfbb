// Which reads a replica may answer: what this process wrote is never read older than it was written.
//
// The master is given a beat every second, a number that only grows, in a row of this process. A replica that shows a beat
// also shows all that was committed before it, because it replays in the order of the commits. So one number, read in the
// same statement as the record, tells whether it is the master's replica at all, on the same history, and how far behind.
// Positions in the WAL would not: after a failover those of two histories cannot be told apart.

/** What a read may be answered from: a replica that shows this beat or a later one; undefined: the master alone. */
export type NeededBeat = number | undefined

export interface Freshness {
  /** A write ended, whether well or in doubt: from now on whoever reads one of these names must find it. */
  wrote(...names: readonly string[]): void
  needed(name: string): NeededBeat
  /** The next beat, which covers what has been written by now. */
  readonly begin: () => Beat
  /** The oldest beat that a replica in use must show; undefined before any was written. */
  readonly oldest: () => NeededBeat
}

export interface Beat {
  readonly number: number
  /** The master has it. */
  readonly written: () => void
  /** It may or may not have it: what the beat covered waits for the next one. */
  readonly failed: () => void
}

interface Recent {
  /** The first beat after the write; undefined as long as there is none. */
  beat: number | undefined
}

/**
 * @param lagMs a replica may be this far behind, in ms
 * @param now a clock in ms that never goes back
 */
export function createFreshness(lagMs: number, now: () => number): Freshness {
  const recent = new Map<string, Recent>()
  /** What was written since the last beat began. */
  let pending = new Map<string, Recent>()
  /** Beats with the time from which on the master has had them, for as long as they are younger than the lag. */
  const young: { readonly number: number; readonly atMs: number }[] = []
  let oldest: number | undefined
  let last = 0

  const expire = (): void => {
    const limit = now() - lagMs
    let passed = false
    for (let first = young[0]; first !== undefined && first.atMs <= limit; first = young[0]) {
      oldest = Math.max(oldest ?? 0, first.number)
      young.shift()
      passed = true
    }
    if (!passed) return
    // Every replica in use shows these by now.
    for (const [name, { beat }] of recent) if (beat !== undefined && beat <= (oldest ?? 0)) recent.delete(name)
  }

  return {
    wrote(...names) {
      const entry: Recent = { beat: undefined }
      for (const name of names) {
        recent.set(name, entry)
        pending.set(name, entry)
      }
    },
    needed(name) {
      const entry = recent.get(name)
      return entry === undefined ? oldest : entry.beat
    },
    begin() {
      const covered = pending
      pending = new Map()
      last += 1
      const number = last
      return {
        number,
        written() {
          for (const entry of covered.values()) entry.beat = number
          young.push({ number, atMs: now() })
          oldest ??= number
          expire()
        },
        failed() {
          for (const [name, entry] of covered) if (!pending.has(name)) pending.set(name, entry)
        },
      }
    },
    oldest: () => oldest,
  }
}
