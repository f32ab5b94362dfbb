// Undo effects put back what was there before their own run, so only the newest change of a host can be taken back.
import { listRuns } from '../engine/journal.ts'
import { NetopsError } from '../model/errors.ts'

/** The names of a host's own runs hold the host's: `RUN.web1`. */
export const isHostRun = (run: string): boolean => run.includes('.')

/** @throws NetopsError `refused` when a later run changed the host */
export async function refuseUndo(runs: string, run: string): Promise<void> {
  const all = (await listRuns(runs)).filter((entry) => isHostRun(entry.run))
  const at = all.findIndex((entry) => entry.run === run)
  const later = all.slice(at + 1).filter(({ state }) => state.end?.changed === true && state.end.undone !== true)
  const newest = later.at(-1)
  if (at < 0 || newest === undefined) return
  throw new NetopsError('refused', {
    message: `run ${newest.run} changed this host after run ${run}: what stood before ${run} is not what stood before that`,
    hint: `take that one back first: netops runs undo ${newest.run}`,
  })
}
