// What resume and undo share: a run of this host goes on here, a fleet run on its hosts.
import { requireStart, runState } from '../../engine/journal.ts'
import { describeRun } from '../../engine/run-file.ts'
import { runHosts } from '../../fleet/run-hosts.ts'
import { fleetInput, resumeFleetRun } from '../../runs/fleet-run.ts'
import { resumeHere, type Direction } from '../../runs/host-run.ts'
import type { CommandContext, CommandResult } from '../command.ts'
import { finishedResult, hostRunResult } from '../present/run-result.ts'
import { confirmDestructive } from '../terminal/confirm.ts'
import { mustReadRun, type RunsPlace } from './runs-place.ts'

interface GoingOn extends RunsPlace {
  readonly run: string
  readonly direction: Direction
  /** The environment's name, where it was given in advance. */
  readonly confirm?: string | undefined
}

export async function goOn(
  { runs, root, run, direction, confirm }: GoingOn,
  context: CommandContext,
): Promise<CommandResult> {
  const { start } = runState(await mustReadRun(runs, run))
  if (start === undefined) requireStart(run, runState([]))
  if ((await describeRun(runs, run)).scope === 'host')
    return hostRunResult(run, await resumeHere(root, run, direction, context))
  const { targets, netops, environment } = fleetInput.parse(start?.input)
  if (direction === 'back') {
    const what = { destroys: `takes back run ${run} on`, confirmed: confirm }
    await confirmDestructive(what, { targets, environment }, context)
  }
  const ran = await resumeFleetRun(
    { runs, run, direction },
    (all) => runHosts(all, { netops, environment }, context.connections),
    context,
  )
  return finishedResult({ ...ran, run })
}
