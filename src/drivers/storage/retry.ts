// Faults that pass are tried again: so often, with growing pauses, and no longer than somebody waits.
import { setTimeout as sleep } from 'node:timers/promises'
import { NetopsError } from '../../model/errors.ts'

/** A fault after which the same may go well: not told to a user before it was tried again. */
export class PassingFault extends NetopsError {}

export const isPassing = (error: unknown): boolean =>
  error instanceof PassingFault || (error instanceof NetopsError && error.code === 'unreachable')

export interface Patience {
  /** How often something is tried without getting any further. */
  readonly tries: number
  /** The first pause, in milliseconds; each one after is twice as long. */
  readonly firstPauseMs: number
  readonly longestPauseMs: number
  /** How long a store may say nothing, in milliseconds. */
  readonly silenceMs: number
}

/**
 * About eight seconds of pauses: a restart of what is on the way takes that long. What the kernel has taken to send (tcp(7), tcp_wmem:
 * up to 4 MB) goes without a sign of life: two minutes of it are a link of 35 KB/s.
 */
export const usualPatience: Patience = { tries: 6, firstPauseMs: 250, longestPauseMs: 5000, silenceMs: 120_000 }

export interface Trying {
  readonly patience: Patience
  readonly signal?: AbortSignal | undefined
  /** Counts what was achieved: where it has grown, the tries before do not count. */
  readonly achieved?: (() => number) | undefined
}

/** What is told of a call that was not waited for. */
export const wasLeft = (what: string): NetopsError => new NetopsError('interrupted', { message: `${what} was left` })

const isLeft = (signal: AbortSignal | undefined): boolean => signal?.aborted === true

/** The failures of something that is tried again: so many in a row without getting any further. */
export class Tries {
  readonly #trying: Trying
  readonly #achieved: () => number
  #before: number
  #failures = 0

  constructor(trying: Trying) {
    this.#trying = trying
    this.#achieved = trying.achieved ?? (() => 0)
    this.#before = this.#achieved()
  }

  /**
   * Waits before the next try.
   * @throws the error where it is not one that passes, or the tries are used up
   */
  async failed(error: unknown): Promise<void> {
    const { patience, signal } = this.#trying
    if (this.#achieved() > this.#before) this.#failures = 0
    this.#before = this.#achieved()
    this.#failures += 1
    if (!isPassing(error) || this.#failures >= patience.tries) throw error
    const pause = Math.min(patience.firstPauseMs * 2 ** (this.#failures - 1), patience.longestPauseMs)
    // Many hosts that were cut off together must not come back together.
    const waited = sleep(pause * (0.75 + Math.random() / 2), undefined, signal === undefined ? {} : { signal })
    // Whoever left is told so by the next try.
    await waited.catch(() => undefined)
  }
}

/**
 * Tries until it goes well, or fails for good.
 * @param what for the message of whoever left
 * @throws what the last try threw; NetopsError `interrupted` after the signal
 */
export async function persistently<T>(what: string, trying: Trying, work: () => Promise<T>): Promise<T> {
  const tries = new Tries(trying)
  for (;;) {
    if (isLeft(trying.signal)) throw wasLeft(what)
    try {
      return await work()
    } catch (error) {
      if (isLeft(trying.signal)) throw wasLeft(what)
      await tries.failed(error)
    }
  }
}
