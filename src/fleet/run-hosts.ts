// The hosts of a run from where they are reached: each connected to by itself, when it is first needed.
import { join } from 'node:path'
import { servicesFor } from '../drivers/services/choose.ts'
import { hostPaths } from '../model/paths.ts'
import type { Target } from '../model/target.ts'
import { lazyHost, type RunHost } from '../runs/hosts.ts'
import type { Connections } from './connections.ts'

/** Where a netops build lies on a host. */
export const netopsOnHost = (root: string, sha256: string): string =>
  join(hostPaths(root).netopsBuilds, sha256.slice(0, 12), 'netops')

/** The hosts by name. @param sha256 of the netops build that carries out their shares */
export const runHosts = (
  targets: readonly Target[],
  sha256: string,
  connections: Connections,
): ReadonlyMap<string, RunHost> =>
  new Map(
    targets.map((to) => {
      const services = servicesFor(to.root, netopsOnHost(to.root, sha256))
      return [to.name, lazyHost(to.name, services, () => connections.connect(to))]
    }),
  )
