// What keys of the fleet file say of each other.
import type { Inventory } from './inventory.ts'
import { hostPaths } from './paths.ts'
import type { Broken, Path, Rule } from './rules.ts'
import { once } from './schema-notes.ts'

export type Hosts = NonNullable<Inventory['hosts']>
export type Groups = NonNullable<Inventory['groups']>

type Named = Pick<Inventory, 'hosts' | 'groups'>

const broken = (path: Path, message: string): Broken => ({ path, message })

/** Rules that need all hosts to be known: for a file without `hosts_from`, and for one joined with what its command says. */
export const memberRules: readonly Rule<Named & Pick<Inventory, 'files'>>[] = [
  {
    about: ['hosts', 'groups'],
    broken: ({ hosts = {}, groups = {} }) => {
      const there = once(() => list(Object.keys(hosts)))
      return Object.entries(groups).flatMap(([name, { hosts: members = [] }]) =>
        members.flatMap((member, index) =>
          Object.hasOwn(hosts, member)
            ? []
            : [broken(['groups', name, 'hosts', index], `expected a host of this fleet: ${there()}`)],
        ),
      )
    },
  },
  {
    about: ['hosts', 'groups'],
    broken: ({ hosts = {}, groups = {} }) =>
      Object.keys(groups)
        .filter((name) => Object.hasOwn(hosts, name))
        .map((name) => broken(['groups', name], 'expected another name than that of a host')),
  },
  {
    about: ['hosts'],
    broken: ({ hosts = {} }) => {
      const taken = new Map<string, string>()
      return Object.entries(hosts).flatMap(([name, { address, port, ssh }]) => {
        const place = `${address.toLowerCase()} ${port ?? ssh?.port ?? ''}`
        const other = taken.get(place)
        if (other !== undefined) {
          return [broken(['hosts', name, 'address'], `expected another address than that of ${other}`)]
        }
        taken.set(place, name)
        return []
      })
    },
  },
  {
    about: ['files', 'hosts', 'groups'],
    broken: ({ files = [], hosts = {}, groups = {} }) => {
      const there = once(() => list([...Object.keys(hosts), ...Object.keys(groups)]))
      return files.flatMap(({ hosts: wanted = [] }, index) =>
        wanted.flatMap((member, at) =>
          Object.hasOwn(hosts, member) || Object.hasOwn(groups, member)
            ? []
            : [broken(['files', index, 'hosts', at], `expected a host or a group of this fleet: ${there()}`)],
        ),
      )
    },
  },
]

const list = (names: readonly string[]): string => {
  const [few, more] = [names.slice(0, 10), names.length - 10]
  return names.length === 0 ? 'it has none' : `${few.join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

const own = hostPaths('/')
// What netops itself puts in place: the configuration by `config`, releases by a deployment, settings by tuning.
const kept = [
  ...[own.config, own.tuningEnvironment, own.base, own.state, own.unit, own.socket, own.environment],
  ...[own.backups, own.serverLink, own.netopsLink, own.tmpfiles, own.sysctlDropIn, own.limitsDropIn, own.unitDropIn],
]

// The service may put links there, and root would follow them.
const services = [own.dataDir, own.logDir, own.runtimeDir, own.runtimeDir.replace(/^\/var/, '')]

export const inventoryRules: readonly Rule<Inventory>[] = [
  {
    about: ['hosts', 'hosts_from'],
    broken: ({ hosts = {}, hosts_from }) =>
      Object.keys(hosts).length > 0 || hosts_from !== undefined
        ? []
        : [broken(['hosts'], 'missing; expected at least one host, or hosts_from')],
  },
  {
    about: ['files'],
    broken: ({ files = [] }) =>
      files.flatMap(({ to }, index) =>
        kept.some((path) => to === path || to.startsWith(`${path}/`) || path.startsWith(`${to}/`))
          ? [broken(['files', index, 'to'], 'expected another path: this one is netops’ own')]
          : [],
      ),
  },
  {
    about: ['files'],
    broken: ({ files = [] }) =>
      files.flatMap(({ to }, index) =>
        services.some((path) => to === path || to.startsWith(`${path}/`))
          ? [broken(['files', index, 'to'], 'expected a folder that is not the service’s own, such as /etc/network')]
          : [],
      ),
  },
  {
    about: ['files'],
    broken: ({ files = [] }) => {
      // By path: whether one of those before goes to all hosts.
      const before = new Map<string, boolean>()
      return files.flatMap(({ to, hosts }, index) => {
        const known = before.get(to)
        before.set(to, known === true || hosts === undefined)
        return known === true || (known === false && hosts === undefined)
          ? [broken(['files', index, 'to'], 'expected each file once')]
          : []
      })
    },
  },
  ...memberRules.map((rule): Rule<Inventory> => ({
    about: [...rule.about, 'hosts_from'],
    broken: (inventory) => (inventory.hosts_from === undefined ? rule.broken(inventory) : []),
  })),
]
