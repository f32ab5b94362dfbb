// One clock for all threads of the process, in ms, which nobody sets: a time limit that one thread sets, another one judges.

/** Milliseconds since some moment, the same in every thread (clock_gettime(2), CLOCK_MONOTONIC). */
export const steadyNow = (): number => Number(process.hrtime.bigint() / 1000n) / 1000
