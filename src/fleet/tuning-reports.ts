// How the settings of every host of a fleet stand: against what is asked for, against what was applied, before and after a run.
import { NetopsError } from '../model/errors.ts'
import type { TuningOptions, TuningRecord } from '../model/tuning.ts'
import type { TuningPlace } from '../procedures/tune/facts.ts'
import { stillTuned } from '../procedures/tune/plan.ts'
import { reportTuning, type TuningReport } from '../procedures/tune/report.ts'
import { tuningTemplates } from '../procedures/tune/templates.ts'
import { findDrift, findRemains, type Drift } from '../procedures/tune/verify.ts'
import type { FleetContext } from './context.ts'
import type { Fleet } from './fleet.ts'
import type { HostAnswer } from './pool.ts'
import { readTuning } from './tuning-facts.ts'

type Targets = Pick<Fleet, 'targets'>

export interface HostReport {
  readonly root: string
  readonly report: TuningReport
}

/** Each host against the options. */
export function reportFleet(
  fleet: Targets,
  options: TuningOptions,
  context: FleetContext,
): Promise<readonly HostAnswer<HostReport>[]> {
  const templates = tuningTemplates()
  return readTuning(fleet, options.set, context, ({ place, facts }) => ({
    root: place.root,
    report: reportTuning({ ...place, ...options }, facts, templates),
  }))
}

/** Each host against the profile that names most settings, and what an earlier run set beside it: to show what there is. */
export function reportPresent(fleet: Targets, context: FleetContext): Promise<readonly HostAnswer<HostReport>[]> {
  const templates = tuningTemplates()
  return readTuning(fleet, {}, context, ({ place, facts }) => {
    const options = { profile: 'sized', skip: [], set: facts.record?.kernel ?? {} } as const
    return { root: place.root, report: reportTuning({ ...place, ...options }, facts, templates) }
  })
}

export interface AppliedTuning {
  readonly root: string
  readonly record: TuningRecord
  readonly drift: readonly Drift[]
}

/** Each host against what was applied to it; one to which nothing was is `refused`. */
export const findFleetDrift = (fleet: Targets, context: FleetContext): Promise<readonly HostAnswer<AppliedTuning>[]> =>
  readTuning(fleet, {}, context, ({ place, facts }) => {
    const { record } = facts
    if (record !== undefined) return { root: place.root, record, drift: findDrift(place, record, facts) }
    throw new NetopsError('refused', {
      host: place.host,
      message: 'nothing was ever applied here, so there is nothing to compare with',
      hint: 'netops tune plan shows what would be set, netops tune apply sets it',
    })
  })

/** What was applied to each host, by its name; undefined for a host without a record, or that cannot be read. */
export type TuningRecords = ReadonlyMap<string, TuningRecord | undefined>

export async function readTuningRecords(fleet: Targets, context: FleetContext): Promise<TuningRecords> {
  const answers = await readTuning(fleet, {}, context, ({ facts }) => facts.record)
  return new Map(answers.map(({ host, value }) => [host, value]))
}

export interface RevertedTuning {
  readonly root: string
  /** What had been applied; undefined where nothing was. */
  readonly record: TuningRecord | undefined
  /** What is not as it was before the first run that tuned. */
  readonly remains: readonly Drift[]
  /** Settings that a running service keeps until its next start. */
  readonly pending: readonly string[]
}

/** Each host after a revert, against its record from before it. */
export function findFleetRemains(
  fleet: Targets,
  records: TuningRecords,
  context: FleetContext,
): Promise<readonly HostAnswer<RevertedTuning>[]> {
  const originals = [...records.values()].map((record) => record?.originals.kernel ?? {})
  const set = Object.assign({}, ...originals) as TuningPlace['set']
  return readTuning(fleet, set, context, ({ place, facts }) => {
    const { root } = place
    const record = records.get(place.host)
    if (record === undefined) return { root, record, remains: [], pending: [] }
    return { root, record, remains: findRemains(place, record, facts), pending: stillTuned(record, facts) }
  })
}
