// How often this process has written to its SQLite file: one number in memory that its threads share, so that a thread knows
// without a look at the file whether what it sees is still all that there is.

/** Counts the commits of the process. */
export interface Commits {
  /** Whoever asked before it rose may see less than was acknowledged since. */
  readonly count: () => number
  /** To be called between a commit and its acknowledgement. */
  readonly rise: () => void
}

/** Memory for a count, to be handed to threads. */
export const commitMemory = (): SharedArrayBuffer => new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)

export function openCommits(memory: SharedArrayBuffer = commitMemory()): Commits {
  const numbers = new Int32Array(memory)
  return {
    count: () => Atomics.load(numbers, 0),
    rise: () => void Atomics.add(numbers, 0, 1),
  }
}
