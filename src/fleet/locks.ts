// Who holds each host, asked on the hosts themselves; and giving back what nobody uses any more.
import * as z from 'zod'
import type { HostConnection } from '../drivers/hosts/port.ts'
import { readLocks, releaseLocks, type LockState } from '../engine/locks.ts'
import { failure } from '../model/failure.ts'
import { leaseNames } from '../model/leases.ts'
import { hostPaths } from '../model/paths.ts'
import { callNetops } from '../runs/remote-netops.ts'
import type { FleetContext } from './context.ts'
import { guardEnvironment } from './environment.ts'
import type { Fleet } from './fleet.ts'
import { onEachHost, type HostAnswer } from './pool.ts'

export type LockAction = 'status' | 'release'

/** Which leases are to be given back. */
export interface LockOptions {
  /** Only a lease of this run. */
  readonly run?: string | undefined
  /** Also where its holder lives or its run is half done. */
  readonly force: boolean
}

const lockState = z.object({
  kind: z.enum(['host', 'fleet']),
  // A netops before there were several does not say.
  lease: z.enum(leaseNames).default('release'),
  run: z.string(),
  reason: z.string(),
  user: z.string(),
  from: z.string(),
  since: z.string(),
  silentSeconds: z.number(),
  standing: z.enum(['held', 'silent', 'dead']),
  ahead: z.literal(true).exactOptional(),
  damage: failure.exactOptional(),
  state: z.enum(['at work', 'unfinished', 'over']),
})

/** Asks each host for its leases, or gives them back. */
export const locksOf = (
  action: LockAction,
  { targets, environment }: Fleet,
  options: LockOptions,
  context: FleetContext,
): Promise<readonly HostAnswer<readonly LockState[]>[]> =>
  onEachHost(
    {
      targets,
      work: async (connection, to) => {
        if (to.kind === 'local') return locksHere(to.root, action, options)
        if (action === 'release') await guardEnvironment(to, connection, environment)
        return locksThere(connection, action, options)
      },
    },
    context,
  )

/** The leases of this machine, or below a root. */
async function locksHere(root: string, action: LockAction, { run, force }: LockOptions): Promise<readonly LockState[]> {
  const paths = { ...hostPaths(root), netops: 'netops' }
  if (action === 'status') return readLocks(paths)
  return releaseLocks(paths, { run, rule: force ? 'whatever it is' : 'only what is over' })
}

/** Asks the netops on a host; a host that has none was never taken. */
async function locksThere(
  connection: HostConnection,
  action: LockAction,
  { run, force }: LockOptions,
): Promise<readonly LockState[]> {
  const netops = await findNetops(connection)
  if (netops === undefined) return []
  const which = [...(run === undefined ? [] : ['--run', run]), ...(force ? ['--force'] : [])]
  const argv = [netops, 'lock', action, ...which, '--root', '/']
  const hosts = z.tuple([z.object({ locks: z.array(lockState) })])
  return (await callNetops(connection, { argv }, { hosts })).hosts[0].locks
}

/** A netops build on a host: the newest that was pushed whole. A push that broke off leaves a folder without one. */
async function findNetops(connection: HostConnection): Promise<string | undefined> {
  const look = ['sh', '-c', 'ls -1t -- "$0"/*/netops 2> /dev/null', hostPaths('/').netopsBuilds]
  const { stdout } = await connection.run(look, { timeoutMs: 30_000 })
  // A login banner may stand before it.
  return stdout.split('\n').find((line) => line.startsWith('/'))
}
