// How the archives of the databases' logs stand on each host.
import type { HostReader } from '../drivers/hosts/port.ts'
import { readerOf } from '../drivers/hosts/readers.ts'
import { servicesFor } from '../drivers/services/choose.ts'
import type { ServiceState } from '../drivers/services/port.ts'
import { NetopsError } from '../model/errors.ts'
import { hostPaths, walUnitName } from '../model/paths.ts'
import type { Asking } from '../postgres/ask.ts'
import { readArchiveStatus, type ArchiveStatus, type Bounds } from '../postgres/archive-status.ts'
import { readArchiveRecord } from '../procedures/wal-archive/facts.ts'
import type { FleetContext } from './context.ts'
import type { Fleet } from './fleet.ts'
import { onEachHost, type HostAnswer } from './pool.ts'

export interface HostArchive extends ArchiveStatus {
  /** What receives the log, where something of this host does. */
  readonly receiver: ServiceState['state'] | undefined
}

/** Reads each host's; one without any is an answer too. */
export const walArchivesOf = (
  { targets }: Fleet,
  bounds: Bounds,
  context: FleetContext,
): Promise<readonly HostAnswer<HostArchive>[]> =>
  onEachHost(
    {
      targets,
      work: async (connection, { root }) => {
        const found = await readHostArchive(readerOf(connection), root, bounds)
        if (found !== undefined) return found
        throw new NetopsError('refused', {
          message: 'the log of no database is archived here',
          hint: 'netops db archive setup',
        })
      },
    },
    context,
  )

/** How the archive of a host's log stands; undefined where it has none. */
export async function readHostArchive(
  reader: HostReader,
  root: string,
  bounds: Bounds,
): Promise<HostArchive | undefined> {
  const paths = hostPaths(root)
  const record = await readArchiveRecord(reader, root)
  if (record === undefined) return undefined
  const asking: Asking = {
    run: (argv, options) => reader.query(argv, options),
    ...{ bin: record.bin, login: record.login, host: reader.name, password: { passfile: paths.walPassfile } },
  }
  const [status, service] = await Promise.all([
    readArchiveStatus(asking, record, bounds),
    record.mode === 'stream' ? servicesFor(root, paths.netopsLink).read(reader, walUnitName) : undefined,
  ])
  return { ...status, receiver: service?.state }
}
