// The runs that a command means: the operator's own, or those below a root of this machine.
import { NetopsError } from '../../model/errors.ts'
import type { JournalRecord } from '../../model/journal.ts'
import type { CommandContext } from '../command.ts'

export interface RunsPlace {
  /** The folder of runs. */
  readonly runs: string
  /** The root whose host runs lie there. */
  readonly root: string
}

export async function placeOfRuns(root: string | undefined, context: CommandContext): Promise<RunsPlace> {
  const { operatorRuns, resolveRoot } = await import('../../fleet/fleet.ts')
  const { hostPaths } = await import('../../model/paths.ts')
  if (root === undefined) return { runs: operatorRuns(context), root: '/' }
  const full = resolveRoot(root, context.cwd)
  return { runs: hostPaths(full).runs, root: full }
}

/** @throws NetopsError `usage` where there is no such run */
export async function mustReadRun(runs: string, run: string): Promise<readonly JournalRecord[]> {
  const { readJournal } = await import('../../engine/journal.ts')
  const records = await readJournal(runs, run)
  if (records !== undefined) return records
  throw new NetopsError('usage', { message: `there is no run ${run} in ${runs}`, hint: 'netops runs list shows them' })
}
