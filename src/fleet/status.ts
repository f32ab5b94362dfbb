// What each host of a fleet says of itself; a host that cannot be reached is an answer too.
import * as z from 'zod'
import { readerOf } from '../drivers/hosts/readers.ts'
import { servicesFor } from '../drivers/services/choose.ts'
import { hostPaths } from '../model/paths.ts'
import { readHostStatus, type HostStatus } from '../procedures/status/host-status.ts'
import type { FleetContext } from './context.ts'
import type { Fleet } from './fleet.ts'
import { onEachHost, type HostAnswer } from './pool.ts'

/** What `netops host get` prints. */
const httpAnswer = z.object({ status: z.number(), headers: z.record(z.string(), z.string()), body: z.string() })

export const readStatus = (
  { targets }: Pick<Fleet, 'targets'>,
  context: FleetContext,
): Promise<readonly HostAnswer<HostStatus>[]> =>
  onEachHost(
    {
      targets,
      work: (connection, { root }) => {
        const reader = readerOf(connection)
        const netops = hostPaths(root).netopsLink
        return readHostStatus({
          reader,
          services: servicesFor(root, netops),
          root,
          get: async (url) => {
            const { code, stdout } = await reader.query([netops, 'host', 'get', url])
            return code === 0 ? httpAnswer.parse(JSON.parse(stdout)) : undefined
          },
        })
      },
    },
    context,
  )
