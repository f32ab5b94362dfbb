// From options to hosts: the fleet file or a relocated root, connections, and what every fleet command needs of them.
import { dirname, join, relative, resolve } from 'node:path'
import {
  checkFleetFile,
  checkSaidHosts,
  hostsOf,
  located,
  type FleetFile,
  type FleetHost,
} from '../config/fleet-file.ts'
import { besideTheTarget } from '../config/linked-file.ts'
import { formatProblems, type Problem } from '../config/problems.ts'
import { usualBackup, type BackupSettings } from '../model/backup-config.ts'
import { NetopsError } from '../model/errors.ts'
import type { Inventory } from '../model/inventory.ts'
import { hostPaths } from '../model/paths.ts'
import { fitsPattern } from '../model/pattern.ts'
import type { Target } from '../model/target.ts'
import { mostOfConfig } from '../system/bounded.ts'
import { readTextIfAnyNow } from '../system/files.ts'
import type { FleetContext } from './context.ts'
import { accountName, hasHome, homeFolder } from '../system/account.ts'

/** Which hosts are meant: a relocated root of this machine, or those of a fleet file that fit all that is said. */
export interface FleetOptions {
  readonly root?: string | undefined
  readonly inventory?: string | undefined
  readonly environment?: string | undefined
  readonly hosts?: readonly string[] | undefined
  readonly group?: readonly string[] | undefined
  readonly tag?: readonly string[] | undefined
  readonly limit?: readonly string[] | undefined
}

type ReadContext = Pick<FleetContext, 'env' | 'cwd'>

export interface Fleet {
  readonly targets: readonly Target[]
  /** What the fleet file says of each target; empty for a relocated root. */
  readonly members: ReadonlyMap<string, FleetHost>
  /** What the hosts are, and must be marked as. */
  readonly environment: string | undefined
  /** The configuration that the fleet file names, if it does: absolute, and as messages name it. */
  readonly config: { readonly path: string; readonly name: string } | undefined
  /** The fleet file: absolute; undefined for a relocated root. */
  readonly file: string | undefined
  /** The folder of the fleet file, where its commands run. */
  readonly folder: string
  readonly minHealthyMs: number | undefined
  readonly healthyDeadlineMs: number | undefined
  /** The operator's own commands by name: `pre_deploy`, `post_tune`; each a list of argv. */
  readonly hooks: Readonly<Record<string, readonly (readonly string[])[]>>
  /** What is backed up, where to, and for how long. */
  readonly backup: BackupSettings
  /** Where this machine keeps the runs of this fleet. */
  readonly runs: string
}

/** @throws NetopsError `usage` when there is no fleet, or it has no such host; `refused` for another environment */
export async function readFleet(options: FleetOptions, context: ReadContext): Promise<Fleet> {
  if (options.root !== undefined) {
    const root = resolveRoot(options.root, context.cwd)
    return {
      targets: [{ kind: 'local', name: 'local', root }],
      members: new Map(),
      environment: undefined,
      config: undefined,
      file: undefined,
      folder: context.cwd,
      minHealthyMs: undefined,
      healthyDeadlineMs: undefined,
      hooks: {},
      backup: usualBackup,
      runs: hostPaths(root).runs,
    }
  }
  const { read, hosts, path, folder } = await readInventory(options, context)
  const { inventory } = read
  const chosen = chooseHosts(hosts, options, read.file)
  return {
    targets: chosen.map((host) => targetOf(host, folder)),
    members: new Map(chosen.map((host) => [host.name, host])),
    environment: inventory.environment,
    config:
      inventory.config === undefined
        ? undefined
        : {
            path: located(inventory.config.file, { folder, home: homeFolder() }),
            name: shortest(resolve(folder, inventory.config.file), context.cwd),
          },
    file: path,
    folder,
    minHealthyMs: inventory.deploy?.min_healthy_time,
    healthyDeadlineMs: inventory.deploy?.healthy_deadline,
    hooks: hooksOf(inventory, folder),
    backup: inventory.backup ?? usualBackup,
    // Commands that only look need no place for runs.
    get runs() {
      return operatorRuns(context)
    },
  }
}

/** A path as a person would write it: from here if it lies below, else absolute. */
const shortest = (path: string, cwd: string): string => {
  const from = relative(cwd, path)
  return from.startsWith('..') ? path : from
}

interface ReadInventory {
  readonly read: FleetFile
  readonly hosts: readonly FleetHost[]
  /** Where the fleet file lies: absolute. */
  readonly path: string
  /** Its folder. */
  readonly folder: string
}

/**
 * Reads the fleet file, and asks its command for hosts where it names one.
 * @throws NetopsError `usage` with every problem and its place; `refused` when it is for another environment
 */
async function readInventory(
  options: Pick<FleetOptions, 'inventory' | 'environment'>,
  context: ReadContext,
): Promise<ReadInventory> {
  const named = options.inventory ?? context.env.NETOPS_INVENTORY
  const name = named ?? (options.environment === undefined ? 'netops.yml' : `netops.${options.environment}.yml`)
  const path = resolve(context.cwd, name)
  const text = readTextIfAnyNow(path, mostOfConfig)
  if (text === undefined) {
    throw new NetopsError('usage', {
      message: `there is no fleet file ${path}`,
      hint: 'netops config init makes one; name another with --inventory FILE, or work on this machine alone with --root DIR',
    })
  }
  const read = settled(checkFleetFile(text, name))
  const { environment, hosts_from: source } = read.inventory
  if (options.environment !== undefined && environment !== options.environment) {
    throw new NetopsError('refused', {
      message: `${name} is for ${environment ?? 'no environment'}, not for ${options.environment}`,
      hint: `set environment: ${options.environment} in the file of that environment`,
    })
  }
  const stray = besideTheTarget(read, path)
  if (stray.length > 0) throw new NetopsError('usage', { message: formatProblems(stray) })
  const folder = dirname(path)
  const said = source === undefined ? undefined : await askFor(source, folder, read)
  return { read, path, folder, hosts: hostsOf(read, said, { folder, home: homeFolder() }) }
}

/** The hosts that the fleet's command says. */
async function askFor(source: NonNullable<Inventory['hosts_from']>, cwd: string, read: FleetFile) {
  const { askForHosts } = await import('../config/hosts-command.ts')
  return settled(checkSaidHosts(await askForHosts({ ...source, cwd }), `output of ${source.command[0] ?? ''}`, read))
}

const settled = <T extends object>(checked: T | { readonly problems: readonly Problem[] }): T => {
  if ('problems' in checked) throw new NetopsError('usage', { message: formatProblems(checked.problems) })
  return checked
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
export function operatorRuns({ env }: Pick<FleetContext, 'env'>): string {
  if (env.NETOPS_STATE_DIR !== undefined) return join(env.NETOPS_STATE_DIR, 'runs')
  if (process.getuid?.() === 0) return hostPaths('/').runs
  if (env.XDG_STATE_HOME === undefined && !hasHome()) {
    throw new NetopsError('usage', {
      message: `${accountName()} has no home folder to keep runs in: HOME is not set, and passwd(5) does not know the account`,
      hint: 'name a folder: NETOPS_STATE_DIR=/path/of/yours',
    })
  }
  return join(env.XDG_STATE_HOME ?? join(homeFolder(), '.local', 'state'), 'netops', 'runs')
}

/** An absolute folder without a slash at its end; `/` itself is a host of its own. */
export function resolveRoot(root: string, cwd: string): string {
  return resolve(cwd, root)
}

/** The hosts that the options choose: those that fit all of them. */
function chooseHosts(all: readonly FleetHost[], options: FleetOptions, file: string): readonly FleetHost[] {
  const { hosts: names, group, tag, limit } = options
  const known: readonly (readonly [string, readonly string[] | undefined, readonly string[]])[] = [
    ['host', names, all.map((host) => host.name)],
    ['group', group, [...new Set(all.flatMap((host) => host.groups))]],
    ['tag', tag, [...new Set(all.flatMap((host) => host.tags))]],
  ]
  for (const [kind, wanted = [], there] of known) {
    const has = new Set(there)
    const unknown = wanted.filter((name) => !has.has(name))
    if (unknown.length === 0) continue
    const few = there.slice(0, 20).join(', ') + (there.length > 20 ? ` and ${there.length - 20} more` : '')
    throw new NetopsError('usage', {
      message: `${file} has no ${kind} ${unknown.join(', ')}`,
      hint: there.length === 0 ? `it has no ${kind}s at all` : `it has ${few}`,
    })
  }
  const named = names === undefined ? undefined : new Set(names)
  const chosen = all.filter(
    (host) =>
      (named?.has(host.name) ?? true) &&
      (group?.some((one) => host.groups.includes(one)) ?? true) &&
      (tag?.some((one) => host.tags.includes(one)) ?? true) &&
      (limit === undefined || isWithin(limit, host)),
  )
  if (chosen.length > 0) return chosen
  throw new NetopsError('usage', {
    message: 'no host of the fleet fits all of --hosts, --group, --tag and --limit',
    hint: 'netops inventory list shows the hosts with their groups and tags',
  })
}

/** Whether a host's name or one of its groups fits a pattern, and none that stands behind an exclamation mark. */
function isWithin(patterns: readonly string[], { name, groups }: FleetHost): boolean {
  const fits = (pattern: string): boolean => [name, ...groups].some((one) => fitsPattern(pattern, one))
  const wanted = patterns.filter((pattern) => !pattern.startsWith('!'))
  const left = patterns.filter((pattern) => pattern.startsWith('!')).map((pattern) => pattern.slice(1))
  return (wanted.length === 0 || wanted.some(fits)) && !left.some(fits)
}

function targetOf({ name, login }: FleetHost, folder: string): Target {
  const { address, becomePassword: source, ...rest } = login
  const said = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined))
  return { kind: 'ssh', name, root: '/', address, ...said, ...(source && { becomePassword: { source, folder } }) }
}
