// Several ways to do the same, timed in interleaved rounds, so that what disturbs the machine disturbs them all.
import { setTimeout as sleep } from 'node:timers/promises'
import { figures, type Figures } from './figures.ts'

export interface Contestant {
  readonly name: string
  /** Takes part in every round, or in every so many; for those that take long. */
  readonly every?: number
  /** Makes the same beginning for each run; not timed. */
  readonly before?: () => Promise<void>
  /** @throws where the work was not done */
  readonly run: () => Promise<void>
  /** Clears up after a run, and looks at what came of it; not timed. */
  readonly after?: () => Promise<void>
}

// What a run leaves ending in the background (fifty sshd processes) is not to be the next one's burden.
const pauseMs = 300

export interface Rules {
  readonly rounds: number
  /** Rounds before these, which do not count. */
  readonly warmUps: number
  readonly tell: (line: string) => void
}

/**
 * Runs all in turn, again and again. The order moves on by one with each round: none always follows
 * the same other.
 * @returns seconds by name
 */
export async function contest(
  contestants: readonly Contestant[],
  { rounds, warmUps, tell }: Rules,
): Promise<ReadonlyMap<string, Figures>> {
  const samples = new Map(contestants.map(({ name }) => [name, [] as number[]]))
  for (let round = 1 - warmUps; round <= rounds; round += 1) {
    const counts = round > 0
    const first = (round + warmUps) % contestants.length
    const order = [...contestants.slice(first), ...contestants.slice(0, first)]
    for (const one of order) {
      if (counts && (round - 1) % (one.every ?? 1) !== 0) continue
      const seconds = await timeOnce(one)
      if (counts) samples.get(one.name)?.push(seconds)
      tell(`${counts ? `round ${round} of ${rounds}` : 'warm-up'}: ${one.name} ${seconds.toFixed(2)} s`)
    }
  }
  return new Map([...samples].map(([name, taken]) => [name, figures(taken)]))
}

async function timeOnce({ before, run, after }: Contestant): Promise<number> {
  await before?.()
  await sleep(pauseMs)
  const begun = performance.now()
  await run()
  const seconds = (performance.now() - begun) / 1000
  await after?.()
  return seconds
}
