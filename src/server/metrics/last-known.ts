// Asks what may be slow to answer, and goes on with what it said last.

// A scraper gives up after 10 s by default; a thread that does not answer within a second is stuck in something.
const askTimeLimitMs = 1000

interface LastKnown<Value> {
  /** What is so now, or what was when it was last told. */
  readonly read: () => Promise<Value>
  /** Whether the last question had no answer in time. */
  readonly silent: () => boolean
}

/**
 * @param ask may reject, or never resolve
 * @param before stands in until there is an answer
 */
export function lastKnown<Value>(ask: () => Promise<Value>, before: Value): LastKnown<Value> {
  let last = before
  let silent = false
  let running: Promise<Value> | undefined

  const run = async (): Promise<Value> => {
    let limit: NodeJS.Timeout | undefined
    const late = new Promise<'late'>((resolve) => {
      limit = setTimeout(() => resolve('late'), askTimeLimitMs)
    })
    const answer = ask().then(
      (value) => {
        // One that comes late is good for the next time.
        last = value
        return 'told' as const
      },
      () => 'late' as const,
    )
    silent = (await Promise.race([answer, late])) === 'late'
    clearTimeout(limit)
    return last
  }
  return {
    read() {
      running ??= run().finally(() => (running = undefined))
      return running
    },
    silent: () => silent,
  }
}
