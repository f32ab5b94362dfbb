// Who holds each host, and giving back what nobody uses any more: asked of the netops on each host, or here below a root.
import * as z from 'zod'
import type { HostConnection } from '../drivers/hosts/port.ts'
import { readLocks, releaseLocks, type LockState } from '../engine/locks.ts'
import { leaseNames } from '../model/leases.ts'
import { hostPaths } from '../model/paths.ts'
import type { Target } from '../model/target.ts'
import { callNetops } from '../runs/remote-netops.ts'
import type { FleetContext } from './context.ts'
import { guardEnvironment } from './environment.ts'
import type { Fleet } from './fleet.ts'
import { onEachHost, type HostAnswer } from './pool.ts'

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
  state: z.enum(['at work', 'unfinished', 'over']),
})

/** What is asked of every host. */
export type LockQuestion =
  | { readonly action: 'status' }
  | {
      readonly action: 'release'
      /** Only the lease of this run. */
      readonly run: string | undefined
      /** Also when its holder lives or its run is half done. */
      readonly force: boolean
    }

/** The leases of each host as they are, or those that were given back. */
export const askForLocks = (
  question: LockQuestion,
  { targets, environment }: Pick<Fleet, 'targets' | 'environment'>,
  context: Pick<FleetContext, 'connections' | 'signal'>,
): Promise<readonly HostAnswer<readonly LockState[]>[]> =>
  onEachHost(
    {
      targets,
      work: async (connection, target) => {
        if (target.kind === 'local') return locksHere(target, question)
        if (question.action === 'release') await guardEnvironment(target, connection, environment)
        return locksOn(connection, question)
      },
    },
    context,
  )

/** The leases of this machine, or below a root. */
function locksHere({ root }: Target, question: LockQuestion): Promise<readonly LockState[]> {
  const paths = { ...hostPaths(root), netops: 'netops' }
  if (question.action === 'status') return readLocks(paths)
  const { run, force } = question
  return releaseLocks(paths, { run, rule: force ? 'whatever it is' : 'only what is over' })
}

/** Asks the netops on a host; a host that has none was never taken. */
async function locksOn(connection: HostConnection, question: LockQuestion): Promise<readonly LockState[]> {
  const netops = await newestNetops(connection)
  if (netops === undefined) return []
  const argv = [netops, 'lock', question.action, ...flagsOf(question), '--root', '/']
  const hosts = z.tuple([z.object({ locks: z.array(lockState) })])
  return (await callNetops(connection, { argv }, { hosts })).hosts[0].locks
}

const flagsOf = (question: LockQuestion): readonly string[] =>
  question.action === 'status'
    ? []
    : [...(question.run === undefined ? [] : ['--run', question.run]), ...(question.force ? ['--force'] : [])]

/** A netops build on a host: the newest that was pushed. */
async function newestNetops(connection: HostConnection): Promise<string | undefined> {
  const builds = hostPaths('/').netopsBuilds
  const { stdout, code } = await connection.run(['ls', '-1t', '--', builds], { timeoutMs: 30_000 })
  const [newest] = stdout.split('\n')
  return code !== 0 || newest === undefined || newest === '' ? undefined : `${builds}/${newest}/netops`
}
