// Output that stays open after its command has exited: a process that the command left behind still holds it.

/** Output as far as it has come. */
export interface Coming {
  /** How many bytes have come by now. */
  readonly bytes: () => number
  /** Whether whoever takes them waits for more. */
  readonly isTaken: () => boolean
}

// Two seconds, counted by looks: where this process stood still (a pipe that nobody reads, Ctrl-Z), so did what comes.
const quiet = { looks: 20, everyMs: 100 }
// What a command printed before it exited is in a pipe (64 KiB, pipe(7)) and in what SSH sends ahead (2 MiB with OpenSSH).
const mostAfterwards = 8 * 2 ** 20

/**
 * Calls once nothing has come for two seconds, or far more than the command can have left on the way. To be called when the
 * command has exited.
 * @returns what ends the watch
 */
export function whenLeftOpen({ bytes, isTaken }: Coming, left: () => void): () => void {
  const first = bytes()
  let [seen, looks] = [first, 0]
  const timer = setInterval(() => {
    const now = bytes()
    looks = now === seen && isTaken() ? looks + 1 : 0
    seen = now
    if (looks < quiet.looks && now - first < mostAfterwards) return
    clearInterval(timer)
    left()
  }, quiet.everyMs)
  return () => clearInterval(timer)
}
