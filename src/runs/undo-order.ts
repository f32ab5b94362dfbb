// Undo effects put back what was there before their own run, so only the newest change of a host can be taken back.
import { describeRuns, isLost, type KnownRun } from '../engine/run-file.ts'
import { NetopsError } from '../model/errors.ts'
import { runsCommand } from '../model/paths.ts'

/** @throws NetopsError `refused` when a later run changed the host, `damaged` when it cannot be told whether one did */
export async function refuseUndo(runs: string, run: string): Promise<void> {
  const all = (await describeRuns(runs)).filter(({ scope }) => scope === 'host')
  const at = all.findIndex((entry) => entry.run === run)
  const asked = all[at]
  // Its own place is not known where its file is damaged: then the times say it.
  const later =
    asked !== undefined && isLost(asked.damage)
      ? all.filter(({ started }) => started > asked.started)
      : all.slice(at + 1)
  const newest = later.findLast(
    (entry) => mayHaveChanged(entry) && entry.undone !== true && (asked === undefined || shareLease(entry, asked)),
  )
  if (asked === undefined || newest === undefined) return
  if (newest.damage !== undefined) {
    throw new NetopsError('damaged', {
      message: `run ${newest.run} may have changed this host after run ${run}, which cannot be told: ${newest.damage.error.message}`,
      hint: `see what it did: ${runsCommand('show', newest.run)}; ${newest.damage.error.hint ?? ''}`,
    })
  }
  throw new NetopsError('refused', {
    message: `run ${newest.run} changed this host after run ${run}: what stood before ${run} is not what stood before that`,
    hint: `take that one back first: ${runsCommand('undo', newest.run)}`,
  })
}

/** Whether two runs had something of the host in common; of one that does not say it, all is taken for granted. */
const shareLease = (one: Pick<KnownRun, 'leases'>, other: Pick<KnownRun, 'leases'>): boolean =>
  one.leases === undefined || other.leases === undefined || one.leases.some((name) => other.leases?.includes(name))

const mayHaveChanged = ({ changed, damage, state }: KnownRun): boolean =>
  changed === true || (damage !== undefined && state !== 'ended')
