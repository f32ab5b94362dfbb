// The fleet file from text to hosts: each with how to reach it, what it is part of, and what differs on it. Pure.
import { join, isAbsolute, resolve } from 'node:path'
import type { FileSource } from '../model/file-source.ts'
import { dynamicInventorySchema, inventorySchema, type Inventory } from '../model/inventory.ts'
import { inventoryRules, memberRules, type Groups, type Hosts } from '../model/inventory-rules.ts'
import { formatPath, showValue, type Problem } from './problems.ts'
import { schemaAt, valueAt } from './schema-words.ts'
import { serverKeys } from './server-keys.ts'
import { checkYaml, mergeKey, noMerging, type Override } from './validate.ts'
import type { Path, YamlDocument } from './yaml.ts'

/** How to log in to a host. */
export interface Login {
  readonly address: string
  /** What is undefined is for ssh_config to say. */
  readonly port: number | undefined
  readonly user: string | undefined
  readonly identity: string | undefined
  readonly knownHosts: string | undefined
  readonly jump: string | undefined
  readonly connectTimeoutMs: number | undefined
  readonly become: 'sudo' | undefined
  readonly becomePassword: FileSource | undefined
}

export interface PlacedFile {
  readonly from: FileSource
  readonly to: string
  readonly mode: string
  readonly owner: string
}

export interface FleetHost {
  readonly name: string
  readonly login: Login
  readonly roles: readonly string[]
  readonly tags: readonly string[]
  readonly groups: readonly string[]
  /** What differs from the fleet's configuration: of its groups in the order of the file, then its own. */
  readonly overrides: readonly Override[]
  readonly files: readonly PlacedFile[]
}

/** A fleet file that was read. */
export interface FleetFile {
  /** Its name as it was given, for messages. */
  readonly file: string
  readonly inventory: Inventory
  readonly document: YamlDocument
}

/** What the command of `hosts_from` said. */
export interface SaidHosts {
  /** The command, for messages. */
  readonly from: string
  readonly hosts: Hosts
  readonly groups: Groups
  readonly document: YamlDocument
}

type Refused = { readonly problems: readonly Problem[] }

/** What to do instead of a merge key, which people reach for where hosts have something in common. */
const merging = (path: Path): string | undefined =>
  path.at(-1) === mergeKey && (path[0] === 'hosts' || path[0] === 'groups')
    ? `${noMerging}; what hosts have in common stands once in a group: groups.NAME.ssh, .config, .tags`
    : undefined

/** Why a key that the fleet file has is none of what a command says. */
const barred = (path: Path): string | undefined =>
  schemaAt(inventorySchema, path, undefined) === undefined
    ? undefined
    : 'only the fleet file itself may say this; what a command prints is data: it runs nothing, and names no file or variable of this machine'

/**
 * Checks a fleet file.
 * @param file its name in messages
 */
export function checkFleetFile(text: string, file: string): FleetFile | Refused {
  const checked = checkYaml(text, file, inventorySchema, { rules: inventoryRules, barred: merging })
  return 'problems' in checked ? checked : { file, inventory: checked.value, document: checked.document }
}

/**
 * Checks what the command of `hosts_from` printed, by itself and beside the file.
 * @param from the command, as messages name it
 */
export function checkSaidHosts(
  text: string,
  from: string,
  { file, inventory, document }: FleetFile,
): SaidHosts | Refused {
  const checked = checkYaml(text, from, dynamicInventorySchema, {
    barred,
    rules: [
      {
        about: ['hosts', 'groups'],
        broken: (said) =>
          (['hosts', 'groups'] as const).flatMap((kind) =>
            Object.keys(said[kind] ?? {})
              .filter((name) => Object.hasOwn(inventory[kind] ?? {}, name))
              .map((name) => ({ path: [kind, name], message: 'expected a name that the fleet file does not have' })),
          ),
      },
    ],
  })
  if ('problems' in checked) return checked
  const { hosts = {}, groups = {} } = checked.value
  const whole = {
    hosts: { ...inventory.hosts, ...hosts },
    groups: { ...inventory.groups, ...groups },
    files: inventory.files,
  }
  if (Object.keys(whole.hosts).length === 0) {
    return {
      problems: [{ file: from, line: 1, column: 1, path: 'hosts', message: 'missing; expected at least one host' }],
    }
  }
  const problems = memberRules
    .flatMap((rule) => rule.broken(whole))
    .map(({ path, message }): Problem => {
      // Said by the command, or by the file that did not yet know of these hosts.
      const own = valueAt(checked.document.value, path) !== undefined
      const [name, read] = own ? [from, checked.document] : [file, document]
      return {
        file: name,
        ...read.placeOfValue(path),
        path: formatPath(path),
        message: `${message}, not ${showValue(valueAt(read.value, path))}`,
      }
    })
  return problems.length > 0 ? { problems } : { from, hosts, groups, document: checked.document }
}

interface Place {
  /** The folder of the fleet file, absolute. */
  readonly folder: string
  /** The home folder, for paths that begin with ~. */
  readonly home: string
}

/** All hosts of a fleet, in the order of the file, then as the command names them. */
export function hostsOf(fleet: FleetFile, said: SaidHosts | undefined, place: Place): readonly FleetHost[] {
  const sources: readonly Source[] = [
    { file: fleet.file, document: fleet.document, hosts: fleet.inventory.hosts, groups: fleet.inventory.groups },
    ...(said === undefined
      ? []
      : [{ file: said.from, document: said.document, hosts: said.hosts, groups: said.groups }]),
  ]
  const groups = sources.flatMap((source) =>
    Object.entries(source.groups ?? {}).map(([name, group]) => ({
      name,
      group,
      overrides: overridesAt(source, ['groups', name, 'config']),
    })),
  )
  const groupsOf = new Map<string, (typeof groups)[number][]>()
  for (const entry of groups) {
    for (const member of new Set(entry.group.hosts)) {
      const known = groupsOf.get(member)
      if (known === undefined) groupsOf.set(member, [entry])
      else known.push(entry)
    }
  }
  const files = (fleet.inventory.files ?? []).map((file) => ({
    ...file,
    hosts: file.hosts === undefined ? undefined : new Set(file.hosts),
  }))
  return sources.flatMap((source) =>
    Object.entries(source.hosts ?? {}).map(([name, host]): FleetHost => {
      const mine = groupsOf.get(name) ?? []
      const logins = [fleet.inventory.ssh, ...mine.map(({ group }) => group.ssh), host.ssh]
      const pick = <Key extends keyof NonNullable<Inventory['ssh']>>(key: Key) =>
        logins.findLast((login) => login?.[key] !== undefined)?.[key]
      const file = (key: 'identity' | 'known_hosts'): string | undefined => {
        const path = pick(key)
        return path === undefined ? undefined : located(path, place)
      }
      const become = pick('become')
      const password = pick('become_password')
      return {
        name,
        login: {
          address: host.address,
          port: host.port ?? pick('port'),
          user: pick('user'),
          identity: file('identity'),
          knownHosts: file('known_hosts'),
          jump: pick('jump'),
          connectTimeoutMs: pick('connect_timeout'),
          become: become === 'none' ? undefined : become,
          becomePassword: password === undefined ? undefined : locatedSource(password, place),
        },
        roles: host.roles ?? [],
        tags: [...new Set([...mine.flatMap(({ group }) => group.tags ?? []), ...(host.tags ?? [])])],
        groups: mine.map((entry) => entry.name),
        overrides: [...mine.flatMap((entry) => entry.overrides), ...overridesAt(source, ['hosts', name, 'config'])],
        files: files
          .filter(
            ({ hosts: wanted }) =>
              wanted === undefined || [name, ...mine.map((m) => m.name)].some((one) => wanted.has(one)),
          )
          .map(({ from, to, mode, owner }) => ({
            from: locatedSource(from, place),
            to,
            mode: mode.padStart(4, '0'),
            // chown(1): with the colon alone, the group is the account's own.
            owner: owner.includes(':') ? owner : `${owner}:`,
          })),
      }
    }),
  )
}

interface Source {
  readonly file: string
  readonly document: YamlDocument
  readonly hosts: Hosts | undefined
  readonly groups: Groups | undefined
}

/** The values below `config` as they were written, each with its place. */
function overridesAt({ file, document }: Source, at: Path): readonly Override[] {
  const given = valueAt(document.value, at)
  if (given === undefined) return []
  return serverKeys().flatMap(({ section, name }): readonly Override[] => {
    const value = valueAt(given, [section, name])
    if (value === undefined) return []
    return [{ path: [section, name], value, said: { file, ...document.placeOfValue([...at, section, name]) } }]
  })
}

const locatedSource = (source: FileSource, place: Place): FileSource =>
  'file' in source ? { file: located(source.file, place) } : source

/** A path of the fleet file: beside it, below the home folder, or absolute. */
export function located(path: string, { folder, home }: Place): string {
  const full = path.startsWith('~/') ? join(home, path.slice(2)) : path
  return isAbsolute(full) ? full : resolve(folder, full)
}
