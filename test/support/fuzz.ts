// How the fuzz tests run: a sample in continuous integration, tens of thousands of inputs a target in `npm run fuzz`.
import { randomInt } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import fc from 'fast-check'

let asked = 0

/** How many inputs a target gets: NETOPS_FUZZ_RUNS, or this sample. */
function fuzzRuns(sample: number): number {
  asked = Number(process.env.NETOPS_FUZZ_RUNS ?? sample)
  return asked
}

/** What {@link fuzzRuns} answered last. */
export const runsAsked = (): number => asked

let chosen: number | undefined

/** The seed of all choices: NETOPS_FUZZ_SEED, NETOPS_SEED, or a random one that is printed once. */
function fuzzSeed(): number {
  const given = process.env.NETOPS_FUZZ_SEED ?? process.env.NETOPS_SEED
  if (given !== undefined) return Number(given)
  if (chosen === undefined) {
    chosen = randomInt(2 ** 31)
    console.log(`the same inputs again with NETOPS_FUZZ_SEED=${chosen}`)
  }
  return chosen
}

// An input of some KB takes milliseconds; a machine under load gets plenty more before it is called a hang.
const longestMs = 20_000

/**
 * Gives a target its inputs, one after the other.
 * @param sample how many outside of `npm run fuzz`
 * @param attempt throws where the target does what it must not
 */
export async function fuzz<T>(
  input: fc.Arbitrary<T>,
  sample: number,
  attempt: (value: T) => void | Promise<void>,
): Promise<void> {
  const timed = async (value: T): Promise<void> => {
    const begun = performance.now()
    await attempt(value)
    const ms = performance.now() - begun
    if (ms > longestMs) throw new Error(`it took ${Math.round(ms)} ms`)
  }
  await fc.assert(fc.asyncProperty(input, timed), { numRuns: fuzzRuns(sample), seed: fuzzSeed() })
}

/** The most memory that this process has held since {@link forgetPeak}, in bytes (proc(5): VmHWM). */
export const peakMemory = (): number =>
  Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? Number.NaN) * 1024

/** Counts the peak from here on (proc(5): clear_refs). */
export const forgetPeak = (): void => writeFileSync('/proc/self/clear_refs', '5')
