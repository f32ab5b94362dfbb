// netops inventory show: what the fleet file says of one host.
import { NetopsError } from '../../model/errors.ts'
import { describeSource } from '../../model/file-source.ts'
import { defineCommand } from '../command.ts'
import { fleetSchema, inventoryOptions, parseOptions } from '../options.ts'

export const inventoryShow = defineCommand({
  name: 'inventory show',
  summary: 'Show what the fleet file says of one host: login, groups, what differs in its configuration, files',
  args: '<host>',
  examples: ['netops inventory show web1', 'netops inventory show web1 --json'],
  options: inventoryOptions,
  async run({ options, args: [name = ''] }, context) {
    const { serverKeys } = await import('../../config/server-keys.ts')
    const { showHop } = await import('../../drivers/hosts/ssh-connect.ts')
    const { readFleet } = await import('../../fleet/fleet.ts')
    const { withSettings } = await import('../../fleet/inventory.ts')
    const { hostDocument, loginOf } = await import('../present/inventory-text.ts')
    const fleet = await readFleet(parseOptions(fleetSchema, { ...options, hosts: name }), context)
    const [reached] = await withSettings(fleet, context)
    if (reached === undefined) throw new NetopsError('usage', { message: `there is no host ${name}` })
    const { host, settings } = reached
    const secret = (path: string): boolean => serverKeys.some((key) => key.path === path && key.secret === true)
    const differs = host.overrides.map(({ path, value, said }) => ({
      path: path.join('.'),
      value: secret(path.join('.')) ? '(set)' : value,
      said: said.line === undefined ? said.file : `${said.file}:${said.line}:${said.column ?? 1}`,
    }))
    const files = host.files.map(({ from, ...rest }) => ({ from: describeSource(from), ...rest }))
    const lines: readonly (readonly [string, string])[] = [
      ['login', loginOf(settings)],
      ['identity', host.login.identity ?? 'the keys of the agent and of ssh_config'],
      ['known hosts', settings.knownHosts.join(', ')],
      ['jump', settings.hops.map(showHop).join(', ') || '-'],
      ['become', host.login.become ?? '-'],
      ['environment', fleet.environment ?? '-'],
      ['groups', host.groups.join(', ') || '-'],
      ['roles', host.roles.join(', ') || '-'],
      ['tags', host.tags.join(', ') || '-'],
      ['config', fleet.config?.name ?? '-'],
      ...differs.map(({ path, value, said }) => ['differs', `${path}: ${JSON.stringify(value)}  (${said})`] as const),
      ...files.map(({ from, to, mode, owner }) => ['file', `${to} ${mode} ${owner}, from ${from}`] as const),
    ]
    return {
      outcome: 'done',
      data: { ...hostDocument(reached), environment: fleet.environment, config: fleet.config?.name, differs, files },
      text: [name, ...lines.map(([what, value]) => `  ${what.padEnd(12)} ${value}`)].join('\n'),
    }
  },
})
