// How much memory V8 may take for the heap of one thread. Of itself it lets each of them grow as if it were alone.

const MiB = 2 ** 20

// What a request leaves behind is dead before 4 MiB are full. With V8's own 64 MiB for each of two halves, which it takes
// one by one in minutes of load, a collection looks at as much that lives, and costs as much of the processor a request;
// with 1 MiB it costs twice as much (docs/decisions.md).
const halfMiB = 4

// V8's measure of the young generation: the two halves, and as much again for objects that are too large for them
// (Heap::YoungGenerationSizeFromSemiSpaceSize).
const youngMiB = 3 * halfMiB

// V8's own share (Heap::HeapSizeFromPhysicalMemory) and half of its most. Pages of records and bodies are bounded by
// themselves and fit many times; from 2 GiB on V8 lets garbage come to three times of what lives, below to as much
// (MemoryController::MaxGrowingFactor).
const oldShare = 1 / 2
const mostOldMiB = 2000

/** As a Worker is given it (worker_threads, `resourceLimits`). */
export interface HeapLimits {
  readonly maxYoungGenerationSizeMb: number
  readonly maxOldGenerationSizeMb: number
}

/** What the heap of a thread may take. @param memory what the process may use, in bytes */
export const heapLimitsFor = (memory: number): HeapLimits => ({
  maxYoungGenerationSizeMb: youngMiB,
  maxOldGenerationSizeMb: Math.min(mostOldMiB, Math.floor((memory * oldShare) / MiB)),
})

/** Bytes at which V8 ends a thread that has these limits. @param memory as above */
export function heapLimitOf(memory: number): number {
  const { maxYoungGenerationSizeMb, maxOldGenerationSizeMb } = heapLimitsFor(memory)
  return (maxYoungGenerationSizeMb + maxOldGenerationSizeMb) * MiB
}
