// What each host of a fleet says of itself.
import * as z from 'zod'
import { readerOf } from '../drivers/hosts/readers.ts'
import { servicesFor } from '../drivers/services/choose.ts'
import { hostPaths } from '../model/paths.ts'
import {
  readHostHealth,
  readHostStatus,
  type HostHealth,
  type HostStatus,
  type StatusSources,
} from '../procedures/status/host-status.ts'
import type { FleetContext } from './context.ts'
import type { Fleet } from './fleet.ts'
import { onEachHost, type HostAnswer } from './pool.ts'

// 256 KiB of body (src/system/http.ts), of which JSON may make six times as much.
const mostOfAnswer = 2 * 2 ** 20
const httpAnswer = z.object({ status: z.number(), headers: z.record(z.string(), z.string()), body: z.string() })

/** Reads every host's status; a host that cannot be reached is an answer too. */
export const statusOf = (fleet: Fleet, context: FleetContext): Promise<readonly HostAnswer<HostStatus>[]> =>
  readEach(fleet, context, readHostStatus)

/** Reads only whether the service is healthy. */
export const healthOf = (fleet: Fleet, context: FleetContext): Promise<readonly HostAnswer<HostHealth>[]> =>
  readEach(fleet, context, readHostHealth)

const readEach = <T>(
  { targets }: Fleet,
  context: FleetContext,
  read: (sources: StatusSources) => Promise<T>,
): Promise<readonly HostAnswer<T>[]> =>
  onEachHost(
    {
      targets,
      work: (connection, { root }) => {
        const reader = readerOf(connection)
        const netops = hostPaths(root).netopsLink
        return read({
          reader,
          services: servicesFor(root, netops),
          root,
          get: async (url) => {
            const got = await reader.query([netops, 'host', 'get', url], { most: mostOfAnswer })
            return got.code === 0 ? httpAnswer.parse(JSON.parse(got.stdout)) : undefined
          },
        })
      },
    },
    context,
  )
