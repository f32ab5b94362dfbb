// A host run that is killed at a chosen record of its journal, as the operator would have started it.
import { randomInt } from 'node:crypto'
import { expect } from 'vitest'
import { judgeLease } from '../../src/engine/lease-file.ts'
import { runState } from '../../src/engine/journal.ts'
import type { JournalRecord } from '../../src/model/journal.ts'
import { stepsOf } from '../../src/model/plan.ts'
import { placeInJournal } from '../../src/runs/run-journal.ts'
import { exec } from '../../src/system/exec.ts'
import { journalsOf, pause, type Site } from './site.ts'

/** Starts the host's part as the operator would have, and returns when its process is gone. */
export async function hostPart(site: Site, run: string, env: Readonly<Record<string, string>> = {}): Promise<void> {
  const { start: begun } = runState((await journalsOf(site)).get(run) ?? [])
  const [job] = stepsOf(begun?.plan ?? never()).flatMap(({ act }) => act.filter((effect) => effect.kind === 'host-run'))
  if (job === undefined) throw new Error('the plan has no part for the host')
  const started = await exec([job.netops, 'host', 'start', job.run, '--root', job.root], {
    stdin: { text: JSON.stringify(job.input) },
    env,
  })
  expect(started).toMatchObject({ code: 0 })
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; await pause(20)) {
    const held = await judgeLease(site.paths.lease)
    if (held?.lease.run === job.run && held.standing === 'dead') return
    const records = (await journalsOf(site, 'torn')).get(job.run) ?? []
    if (held?.lease.run !== job.run && runState(records).end !== undefined) return
  }
  throw new Error("the host's part did not end within a minute")
}

const never = (): never => {
  throw new Error('the run has no beginning')
}

/** Before and after each record of a run that nobody kills. */
export const faultsAt = (records: readonly JournalRecord[]): readonly string[] =>
  records.map(placeInJournal).flatMap((place) => [`kill-before:${place}`, `kill-after:${place}`])

/** All of them in an endurance run; else some, chosen by a printed seed. */
export function sample(faults: readonly string[], count: number): readonly string[] {
  if (process.env.NETOPS_ENDURANCE === '1') return faults
  const seed = Number(process.env.NETOPS_SEED ?? randomInt(1e6))
  console.log(`NETOPS_SEED=${seed}`)
  const step = faults.length / count
  return Array.from({ length: count }, (_, index) => faults[Math.floor(index * step + (seed % step))] ?? '')
}
