// From options to hosts: the fleet file or a relocated root, connections, and what every fleet command needs of them.
import { homedir } from 'node:os'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { z } from 'zod'
import { connectLocal } from '../drivers/hosts/local.ts'
import type { HostConnection } from '../drivers/hosts/port.ts'
import { processServices } from '../drivers/services/process.ts'
import type { ServiceManager } from '../drivers/services/port.ts'
import { systemd } from '../drivers/services/systemd.ts'
import { NetopsError } from '../model/errors.ts'
import { inventorySchema, type Inventory } from '../model/inventory.ts'
import { hostPaths } from '../model/paths.ts'
import { readTextIfAny } from '../system/files.ts'
import type { CommandContext } from './command.ts'
import { nameList } from './options.ts'

export const fleetSchema = z.object({
  root: z.string().optional(),
  inventory: z.string().optional(),
  hosts: nameList.optional(),
})
export type FleetOptions = z.infer<typeof fleetSchema>

/** How to reach one host; plain data, kept in a run's journal so that a resume reaches the same. */
export const target = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('local'), name: z.string(), root: z.string() }),
  z.strictObject({
    kind: z.literal('ssh'),
    name: z.string(),
    root: z.literal('/'),
    address: z.string(),
    port: z.number(),
    user: z.string(),
    identity: z.string().exactOptional(),
    knownHosts: z.string(),
  }),
])
export type Target = z.infer<typeof target>

export interface Fleet {
  readonly targets: readonly Target[]
  /** The configuration that the fleet file names, if it does. */
  readonly configFile: string | undefined
  readonly minHealthyMs: number | undefined
  readonly healthyDeadlineMs: number | undefined
  /** The operator's own commands by name: `pre_deploy`, `post_tune`; each a list of argv. */
  readonly hooks: Readonly<Record<string, readonly (readonly string[])[]>>
  /** Where this machine keeps the runs of this fleet. */
  readonly runs: string
}

/** @throws NetopsError `usage` when there is no fleet, or it has no such host */
export async function readFleet(options: FleetOptions, context: CommandContext): Promise<Fleet> {
  if (options.root !== undefined) {
    const root = resolveRoot(options.root, context.cwd)
    return {
      targets: [{ kind: 'local', name: 'local', root }],
      configFile: undefined,
      minHealthyMs: undefined,
      healthyDeadlineMs: undefined,
      hooks: {},
      runs: hostPaths(root).runs,
    }
  }
  const file = resolve(context.cwd, options.inventory ?? context.env.NETOPS_INVENTORY ?? 'netops.yml')
  const inventory = await readInventory(file)
  return {
    targets: chooseHosts(inventory, options.hosts, file),
    configFile: inventory.config === undefined ? undefined : resolve(dirname(file), inventory.config.file),
    minHealthyMs: inventory.deploy?.min_healthy_time,
    healthyDeadlineMs: inventory.deploy?.healthy_deadline,
    hooks: hooksOf(inventory, dirname(file)),
    runs: operatorRuns(context),
  }
}

/** The hooks as lists of commands; a program named by a relative path lies beside the fleet file. */
function hooksOf({ hooks }: Inventory, folder: string): Fleet['hooks'] {
  const located = ([program = '', ...words]: readonly string[]): string[] => [
    /^\.\.?\//.test(program) ? resolve(folder, program) : program,
    ...words,
  ]
  return Object.fromEntries(
    Object.entries(hooks ?? {}).flatMap(([name, given]) => {
      if (given === undefined) return []
      const several = given.filter((word) => typeof word !== 'string')
      return [[name, (several.length > 0 ? several : [given as string[]]).map(located)]]
    }),
  )
}

/** Where an operator's own runs are kept: `$NETOPS_STATE_DIR`, root's `/var/lib/netops`, else the XDG state folder. */
export function operatorRuns({ env }: CommandContext): string {
  if (env.NETOPS_STATE_DIR !== undefined) return join(env.NETOPS_STATE_DIR, 'runs')
  if (process.getuid?.() === 0) return hostPaths('/').runs
  return join(env.XDG_STATE_HOME ?? join(homedir(), '.local', 'state'), 'netops', 'runs')
}

/** An absolute folder without a slash at its end; `/` itself is a host of its own. */
export function resolveRoot(root: string, cwd: string): string {
  return resolve(cwd, root)
}

async function readInventory(file: string): Promise<Inventory> {
  const text = await readTextIfAny(file)
  if (text === undefined) {
    throw new NetopsError('usage', {
      message: `there is no fleet file ${file}`,
      hint: 'name one with --inventory FILE, or work on this machine alone with --root DIR',
    })
  }
  const { checkYaml } = await import('../config/validate.ts')
  const checked = checkYaml(text, file, inventorySchema)
  if ('value' in checked) return checked.value
  const { formatProblems } = await import('../config/problems.ts')
  throw new NetopsError('usage', { message: formatProblems(checked.problems) })
}

function chooseHosts(inventory: Inventory, wanted: readonly string[] | undefined, file: string): readonly Target[] {
  const known = Object.keys(inventory.hosts)
  const unknown = (wanted ?? []).filter((name) => !known.includes(name))
  if (unknown.length > 0) {
    throw new NetopsError('usage', {
      message: `${file} has no host ${unknown.join(', ')}`,
      hint: `it has ${known.join(', ')}`,
    })
  }
  const here = (path: string): string => {
    const full = path.startsWith('~/') ? join(homedir(), path.slice(2)) : path
    return isAbsolute(full) ? full : resolve(dirname(file), full)
  }
  return Object.entries(inventory.hosts)
    .filter(([name]) => wanted?.includes(name) ?? true)
    .map(([name, host]) => ({
      kind: 'ssh',
      name,
      root: '/',
      address: host.address,
      port: host.port ?? inventory.ssh.port,
      user: inventory.ssh.user,
      ...(inventory.ssh.identity === undefined ? {} : { identity: here(inventory.ssh.identity) }),
      knownHosts: here(inventory.ssh.known_hosts),
    }))
}

/** Opens a connection to one host. */
export async function connect(to: Target, context: CommandContext): Promise<HostConnection> {
  if (to.kind === 'local') return connectLocal(to.name)
  const { connectSsh } = await import('../drivers/hosts/ssh.ts')
  return connectSsh({ ...to, identity: to.identity, agent: context.env.SSH_AUTH_SOCK })
}

/** The service manager of a root: systemd on a host of its own, else supervision by the given netops build. */
export const servicesFor = (root: string, netops: string): ServiceManager =>
  root === '/' ? systemd : processServices(root, netops)
