// What people and scripts see of the hosts of a fleet.
import type { SshSettings } from '../../drivers/hosts/ssh-settings.ts'
import type { CheckedHost } from '../../fleet/check-hosts.ts'
import type { HostLogin } from '../../fleet/logins.ts'
import { describeSource } from '../../model/file-source.ts'
import { formatDuration } from '../../model/units.ts'
import { errorLines, hostError } from './errors.ts'
import { table } from './table.ts'

/** `admin@10.0.0.11:2222` */
export const loginText = ({ user, address, port }: SshSettings): string =>
  `${user}@${address}${port === 22 ? '' : `:${port}`}`

/** All hosts, one a line. */
export const loginTable = (logins: readonly HostLogin[]): readonly string[] =>
  table([
    ['HOST', 'LOGIN', 'GROUPS', 'ROLES', 'TAGS'],
    ...logins.map(({ host, settings }) => [
      host.name,
      loginText(settings),
      host.groups.join(',') || '-',
      host.roles.join(',') || '-',
      host.tags.join(',') || '-',
    ]),
  ])

/** A host in the document. */
export const loginEntry = ({ host: { name, login, roles, tags, groups }, settings }: HostLogin) => ({
  ...{ host: name, address: login.address, hostname: settings.address, port: settings.port, user: settings.user },
  ...{ identity: login.identity, knownHosts: settings.knownHosts[0], jump: settings.hops, become: login.become },
  ...(login.becomePassword && { becomePassword: describeSource(login.becomePassword) }),
  ...{ roles, tags, groups },
})

export const checkedEntry = ({ error, ...rest }: CheckedHost) => ({
  ...rest,
  ok: error === undefined,
  ...hostError(error),
})

export function checkedLines({ host, system, marked, ms, error }: CheckedHost): readonly string[] {
  if (error !== undefined) return errorLines(host, error)
  const mark = marked === undefined ? 'not marked yet' : `marked as ${marked}`
  return [`${host}: answers in ${formatDuration(ms)}, ${system ?? ''}, ${mark}`]
}
