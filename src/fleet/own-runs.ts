// The operator's own runs, which lie on this machine and belong to no host.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { readJournal, runState } from '../engine/journal.ts'
import { describeRuns, type KnownRun } from '../engine/run-file.ts'
import { oldRuns, type OldRun } from '../procedures/gc/clean-up.ts'
import type { CleanUp } from '../procedures/gc/fleet-procedure.ts'
import { fleetInput } from '../runs/fleet-run.ts'
import type { Fleet } from './fleet.ts'

/** Removes those of a fleet that have ended and are old; returns their names. Those of other fleets are no business of it. */
export async function removeOwnRuns(
  fleet: OwnFleet,
  cleanUp: CleanUp,
  mode: 'remove' | 'only look',
): Promise<readonly string[]> {
  const { runs } = fleet
  const listed: OldRun[] = []
  for (const known of await describeRuns(runs)) {
    if (!(await isOf(known, fleet))) continue
    const { run, at, state, sequence } = known
    listed.push({
      run,
      sequence,
      at: at === '' ? undefined : Date.parse(at),
      over: state === 'ended',
      netops: undefined,
    })
  }
  const gone = oldRuns(listed, Date.now(), cleanUp).map(({ run }) => run)
  if (mode === 'remove') for (const run of gone) await rm(join(runs, run), { recursive: true, force: true })
  return gone
}

type OwnFleet = Pick<Fleet, 'runs' | 'file' | 'environment' | 'members'>

/** Whether a run was begun with this fleet file, for what it says that its hosts are. */
async function isOf(known: KnownRun, { runs, file, environment, members }: OwnFleet): Promise<boolean> {
  if (known.scope !== 'fleet' || known.damage !== undefined) return false
  if (known.fleetFile !== undefined) return known.fleetFile === file && known.environment === environment
  // A run of old names no file: its hosts tell.
  const { start } = runState((await readJournal(runs, known.run)) ?? [])
  const { data: input } = fleetInput.safeParse(start?.input)
  return (
    input !== undefined &&
    input.environment === environment &&
    input.targets.every((to) => to.kind === 'ssh' && members.get(to.name)?.login.address === to.address)
  )
}
