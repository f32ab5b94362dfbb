// netops lock: who holds each host, and giving back what nobody uses any more.
import * as z from 'zod'
import type { HostConnection } from '../../drivers/hosts/port.ts'
import type { LockState } from '../../engine/locks.ts'
import { joinOutcomes, locate, NetopsError, type HostOutcome } from '../../model/errors.ts'
import { leaseNames } from '../../model/leases.ts'
import { hostPaths } from '../../model/paths.ts'
import { defineCommand, type CommandContext, type CommandResult, type Invocation } from '../command.ts'
import { confirmOption } from '../terminal/confirm.ts'
import type { Fleet } from '../../fleet/fleet.ts'
import type { Target } from '../../model/target.ts'
import { fleetOptions, fleetSchema, parseOptions, rootOption } from '../options.ts'

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
interface Told {
  readonly host: string
  readonly locks: readonly LockState[]
  readonly error: NetopsError | undefined
}

export const lockStatus = defineCommand({
  name: 'lock status',
  summary: 'Show who holds each host: since when, for what, and whether they still live',
  examples: ['netops lock status', 'netops lock status --hosts web1 --json', 'netops lock status --root /tmp/site'],
  options: [...fleetOptions, rootOption],
  run: (invocation, context) => onEach('status', invocation, context),
})

export const lockRelease = defineCommand({
  name: 'lock release',
  summary: 'Give back the hosts that a dead holder left; a living one only by name and by force',
  examples: [
    'netops lock release --hosts web1',
    'netops lock release --hosts web1 --run 20261123T104501Z-deploy-3f9a --force',
  ],
  options: [
    ...fleetOptions,
    rootOption,
    { flags: '--run <run>', description: 'only the lease of this run' },
    { flags: '--force', description: 'also when its holder lives or its run is half done; needs --run' },
    confirmOption,
  ],
  run: (invocation, context) => onEach('release', invocation, context),
})

const releaseSchema = { run: z.string().optional(), force: z.boolean().default(false), confirm: z.string().optional() }

async function onEach(
  action: 'status' | 'release',
  { options }: Invocation,
  context: CommandContext,
): Promise<CommandResult> {
  const { readFleet } = await import('../../fleet/fleet.ts')
  const parsed = parseOptions(fleetSchema.extend(releaseSchema), options)
  if (parsed.force && parsed.run === undefined) {
    throw new NetopsError('usage', {
      message: '--force needs --run: name the run whose lease is to be taken away',
      hint: 'netops lock status shows it',
    })
  }
  const words = [
    ...['lock', action],
    ...(parsed.run === undefined ? [] : ['--run', parsed.run]),
    ...(parsed.force ? ['--force'] : []),
  ]
  const fleet = await readFleet(parsed, context)
  if (action === 'release') {
    const { confirmDestructive } = await import('../terminal/confirm.ts')
    await confirmDestructive({ destroys: 'gives back the leases of', confirmed: parsed.confirm }, fleet, context)
  }
  const told = await Promise.all(
    fleet.targets.map(async (to): Promise<Told> => {
      try {
        const locks =
          to.kind === 'local' ? await here(to.root, action, parsed) : await onHost(to, words, fleet, context)
        return { host: to.name, locks, error: undefined }
      } catch (thrown) {
        return { host: to.name, locks: [], error: locate(thrown, { host: to.name }) }
      }
    }),
  )
  const [only] = told
  // On one host its failure is the command's.
  if (told.length === 1 && only?.error !== undefined) throw only.error
  const outcomes = told.map(({ error }): HostOutcome => ({ outcome: error?.code ?? 'done', changed: false }))
  return {
    outcome: joinOutcomes(outcomes),
    data: {
      hosts: told.map(({ host, locks, error }) => ({
        host,
        locks,
        ...(error && { error: { code: error.code, message: error.message, hint: error.hint } }),
      })),
    },
    text: told.map((entry) => describe(entry, action)).join('\n'),
  }
}

/** The leases of this machine, or below a root. */
async function here(
  root: string,
  action: 'status' | 'release',
  wish: { readonly run?: string | undefined; readonly force: boolean },
): Promise<readonly LockState[]> {
  const { readLocks, releaseLocks } = await import('../../engine/locks.ts')
  const paths = { ...hostPaths(root), netops: 'netops' }
  if (action === 'status') return readLocks(paths)
  return releaseLocks(paths, { run: wish.run, rule: wish.force ? 'whatever it is' : 'only what is over' })
}

/** Asks the netops on a host; a host that has none was never taken. */
async function onHost(
  to: Target,
  words: readonly string[],
  { environment }: Pick<Fleet, 'environment'>,
  context: CommandContext,
): Promise<readonly LockState[]> {
  const { callNetops } = await import('../../runs/remote-netops.ts')
  const { guardEnvironment } = await import('../../fleet/environment.ts')
  const connection = await context.connections.connect(to)
  try {
    if (words.includes('release')) await guardEnvironment(to, connection, environment)
    const netops = await findNetops(connection)
    if (netops === undefined) return []
    const argv = [netops, ...words, '--root', '/']
    const hosts = z.tuple([z.object({ locks: z.array(lockState) })])
    return (await callNetops(connection, { argv }, { hosts })).hosts[0].locks
  } finally {
    await connection.close()
  }
}

/** A netops build on a host: the newest that was pushed. */
async function findNetops(connection: HostConnection): Promise<string | undefined> {
  const builds = hostPaths('/').netopsBuilds
  const { stdout, code } = await connection.run(['ls', '-1t', '--', builds], { timeoutMs: 30_000 })
  const [newest] = stdout.split('\n')
  return code !== 0 || newest === undefined || newest === '' ? undefined : `${builds}/${newest}/netops`
}

function describe({ host, locks, error }: Told, action: 'status' | 'release'): string {
  if (error !== undefined) return `${host}: ${error.message}\n  hint: ${error.hint ?? 'netops status'}`
  if (locks.length === 0) return `${host}: ${action === 'status' ? 'free' : 'nothing to give back'}`
  return locks
    .map((lock) => {
      const what = lock.lease === 'release' ? '' : `${lock.lease}: `
      if (action === 'release') return `${host}: given back: ${what}run ${lock.run} (${lock.reason}) by ${lock.user}`
      const heard = lock.standing === 'held' ? `heard of ${lock.silentSeconds} s ago` : holders[lock.standing]
      return `${host}: ${what}${lock.state}: run ${lock.run} (${lock.reason}) by ${lock.user} on ${lock.from} since ${lock.since}, ${heard}`
    })
    .join('\n')
}

const holders = { silent: 'its process stands still', dead: 'its process is gone' }
