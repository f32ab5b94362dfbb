// How long a holder has been silent, by the time of its last heartbeat and a clock that may have been set meanwhile.

/**
 * Looks at one heartbeat again and again. One from the future was given before the clock was set back: nobody knows how long
 * ago, so its silence counts from when it was first seen, by a clock that nobody sets. A living holder gives the next one by
 * the clock as it is now.
 */
export class HeartbeatWatch {
  #first: { readonly beat: number; readonly at: number } | undefined

  /**
   * @param beat when the last heartbeat was, in ms since 1970
   * @param heartbeatMs how often a holder that lives gives one
   * @returns for how long it has been the last one, in ms, and whether it is from the future
   */
  look(beat: number, heartbeatMs: number): { readonly silentMs: number; readonly ahead: boolean } {
    const ageMs = Date.now() - beat
    // A heartbeat's length ahead is one that comes late at worst.
    if (ageMs >= -heartbeatMs) return { silentMs: Math.max(0, ageMs), ahead: false }
    if (this.#first?.beat !== beat) this.#first = { beat, at: performance.now() }
    return { silentMs: performance.now() - this.#first.at, ahead: true }
  }
}
