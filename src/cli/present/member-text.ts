// All that the fleet file says of one host, for people and for scripts. Of secrets only that they are set is shown.
import { serverKeys } from '../../config/server-keys.ts'
import { showHop } from '../../drivers/hosts/ssh-connect.ts'
import type { Fleet } from '../../fleet/fleet.ts'
import type { ReachedHost } from '../../fleet/inventory.ts'
import { describeSource } from '../../model/file-source.ts'
import { hostDocument, loginOf } from './inventory-text.ts'

type FleetPart = Pick<Fleet, 'environment' | 'config'>

/** The document. */
export const memberDocument = (reached: ReachedHost, { environment, config }: FleetPart) => ({
  ...hostDocument(reached),
  environment,
  config: config?.name,
  differs: differencesOf(reached),
  files: filesOf(reached),
})

/** The name of the host, and a line for each thing. */
export function memberLines(reached: ReachedHost, { environment, config }: FleetPart): readonly string[] {
  const { host, settings } = reached
  const lines: readonly (readonly [string, string])[] = [
    ['login', loginOf(settings)],
    ['identity', host.login.identity ?? 'the keys of the agent and of ssh_config'],
    ['known hosts', settings.knownHosts.join(', ')],
    ['jump', settings.hops.map(showHop).join(', ') || '-'],
    ['become', host.login.become ?? '-'],
    ['environment', environment ?? '-'],
    ['groups', host.groups.join(', ') || '-'],
    ['roles', host.roles.join(', ') || '-'],
    ['tags', host.tags.join(', ') || '-'],
    ['config', config?.name ?? '-'],
    ...differencesOf(reached).map(
      ({ path, value, said }) => ['differs', `${path}: ${JSON.stringify(value)}  (${said})`] as const,
    ),
    ...filesOf(reached).map(({ from, to, mode, owner }) => ['file', `${to} ${mode} ${owner}, from ${from}`] as const),
  ]
  return [host.name, ...lines.map(([what, value]) => `  ${what.padEnd(12)} ${value}`)]
}

const isSecret = (path: string): boolean => serverKeys().some((key) => key.path === path && key.secret === true)

const differencesOf = ({ host }: ReachedHost) =>
  host.overrides.map(({ path: parts, value, said: place }) => {
    const path = parts.join('.')
    const said = place.line === undefined ? place.file : `${place.file}:${place.line}:${place.column ?? 1}`
    return { path, value: isSecret(path) ? '(set)' : value, said }
  })

const filesOf = ({ host }: ReachedHost) =>
  host.files.map(({ from, ...rest }) => ({ from: describeSource(from), ...rest }))
