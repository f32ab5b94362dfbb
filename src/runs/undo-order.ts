// Undo effects put back what was there before their own run, so only the newest change of a host can be taken back.
import { describeRuns } from '../engine/run-file.ts'
import { NetopsError } from '../model/errors.ts'

/** @throws NetopsError `refused` when a later run changed the host */
export async function refuseUndo(runs: string, run: string): Promise<void> {
  const all = (await describeRuns(runs)).filter(({ scope }) => scope === 'host')
  const at = all.findIndex((entry) => entry.run === run)
  const newest = all.slice(at + 1).findLast(({ changed, undone }) => changed === true && undone !== true)
  if (at < 0 || newest === undefined) return
  throw new NetopsError('refused', {
    message: `run ${newest.run} changed this host after run ${run}: what stood before ${run} is not what stood before that`,
    hint: `take that one back first: netops runs undo ${newest.run}`,
  })
}
