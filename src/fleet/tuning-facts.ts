// Reads the tuning facts of every host of a fleet; a host that cannot be read is an answer too.
import { readerOf } from '../drivers/hosts/readers.ts'
import { servicesFor } from '../drivers/services/choose.ts'
import { hostPaths } from '../model/paths.ts'
import { readTuningFacts, type TuningFacts, type TuningPlace } from '../procedures/tune/facts.ts'
import type { FleetContext } from './context.ts'
import type { Fleet } from './fleet.ts'
import { onEachHost, type HostAnswer } from './pool.ts'

export interface ReadHost {
  readonly place: TuningPlace
  readonly facts: TuningFacts
}

/** Reads each host and makes something of it; only plain commands, no netops needed there. */
export const readTuning = <T>(
  { targets }: Pick<Fleet, 'targets'>,
  set: TuningPlace['set'],
  context: FleetContext,
  make: (read: ReadHost) => T,
): Promise<readonly HostAnswer<T>[]> =>
  onEachHost(
    {
      targets,
      work: async (connection, to) => {
        const services = servicesFor(to.root, hostPaths(to.root).netopsLink)
        const place: TuningPlace = { host: to.name, root: to.root, manager: services.kind, set }
        return make({ place, facts: await readTuningFacts(readerOf(connection), services, place) })
      },
    },
    context,
  )
