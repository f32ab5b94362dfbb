// Hosts of a fleet file for people and scripts: how they are reached, and what they are part of.
import type { LoginCheck, ReachedHost } from '../../fleet/inventory.ts'
import { describeSource } from '../../model/file-source.ts'
import { shownText } from '../../model/escape.ts'
import { formatDuration } from '../../model/units.ts'
import { errorField, errorLines } from './errors.ts'
import { table } from './table.ts'

type Settings = ReachedHost['settings']

/** `root@10.0.0.11:2222`, `root@[fd00::1]:2222`. */
export const loginOf = ({ user, address, port }: Settings): string => {
  if (port === 22) return `${user}@${address}`
  return `${user}@${address.includes(':') ? `[${address}]` : address}:${port}`
}

export const hostDocument = ({ host: { name, login, roles, tags, groups }, settings }: ReachedHost) => ({
  ...{ host: name, address: login.address, hostname: settings.address, port: settings.port, user: settings.user },
  ...{ identity: login.identity, knownHosts: settings.knownHosts[0], jump: settings.hops, become: login.become },
  ...(login.becomePassword && { becomePassword: describeSource(login.becomePassword) }),
  ...{ roles, tags, groups },
})

export function hostTable(hosts: readonly ReachedHost[]): string {
  const rows = hosts.map(({ host, settings }) => [
    host.name,
    loginOf(settings),
    host.groups.join(',') || '-',
    host.roles.join(',') || '-',
    host.tags.join(',') || '-',
  ])
  return table([['HOST', 'LOGIN', 'GROUPS', 'ROLES', 'TAGS'], ...rows]).join('\n')
}

export const checkDocument = ({ error, ...rest }: LoginCheck) => ({
  ...rest,
  ok: error === undefined,
  ...errorField(error),
})

export function checkLines({ host, system, marked, ms, error }: LoginCheck): string {
  if (error !== undefined) return errorLines(host, error).join('\n')
  return `${host}: answers in ${formatDuration(ms)}, ${shownText(system ?? '')}, ${marked === undefined ? 'not marked yet' : `marked as ${shownText(marked)}`}`
}
