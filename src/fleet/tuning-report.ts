// How the settings of every host stand against what is wanted of them.
import type { TuningOptions } from '../model/tuning.ts'
import { reportTuning, type TuningReport } from '../procedures/tune/report.ts'
import { tuningTemplates } from '../procedures/tune/templates.ts'
import type { FleetContext } from './context.ts'
import type { Fleet } from './fleet.ts'
import type { HostAnswer } from './pool.ts'
import { readTuning, type ReadHost } from './tuning-facts.ts'

export interface HostTuningReport {
  readonly root: string
  readonly report: TuningReport
}

/**
 * Reads all hosts and reports what is wanted of each.
 * @param wantedOf asked once without a host, for the settings to look at, and then for each host
 */
export function reportOnHosts(
  fleet: Pick<Fleet, 'targets'>,
  wantedOf: (read: ReadHost | undefined) => TuningOptions,
  context: FleetContext,
): Promise<readonly HostAnswer<HostTuningReport>[]> {
  const templates = tuningTemplates()
  return readTuning(fleet, wantedOf(undefined).set, context, (read) => ({
    root: read.place.root,
    report: reportTuning({ ...read.place, ...wantedOf(read) }, read.facts, templates),
  }))
}
