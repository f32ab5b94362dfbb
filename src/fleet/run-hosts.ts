// The hosts of a run from where they are reached: each connected to by itself, when it is first needed.
import { join } from 'node:path'
import type { HostConnection } from '../drivers/hosts/port.ts'
import { servicesFor } from '../drivers/services/choose.ts'
import { hostPaths } from '../model/paths.ts'
import type { Target } from '../model/target.ts'
import { lazyHost, type RunHost } from '../runs/hosts.ts'
import type { Connections } from './connections.ts'
import { guardEnvironment } from './environment.ts'

/** Where a netops build lies on a host. */
export const netopsOnHost = (root: string, sha256: string): string =>
  join(hostPaths(root).netopsBuilds, sha256.slice(0, 12), 'netops')

/** What all hosts of a run have in common. */
export interface RunOfHosts {
  /** The hash of the netops build that carries out their shares. */
  readonly netops: string
  /** What the run's fleet file is for. */
  readonly environment?: string | undefined
}

/**
 * The hosts by name. Whenever one is reached, also by a resume of days later, it is first asked what it is marked as: nothing
 * is done on one that is meant for something else.
 */
export const runHosts = (
  targets: readonly Target[],
  { netops, environment }: RunOfHosts,
  connections: Connections,
): ReadonlyMap<string, RunHost> =>
  new Map(
    targets.map((to) => {
      const services = servicesFor(to.root, netopsOnHost(to.root, netops))
      return [to.name, lazyHost(to.name, services, () => connectGuarded(to, environment, connections))]
    }),
  )

async function connectGuarded(
  to: Target,
  environment: string | undefined,
  connections: Connections,
): Promise<HostConnection> {
  const connection = await connections.connect(to)
  try {
    await guardEnvironment(to, connection, environment)
    return connection
  } catch (error) {
    await connection.close()
    throw error
  }
}
