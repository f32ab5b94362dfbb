// netops inventory: which hosts there are, what the fleet file says of one, and whether they answer and are what it says.
import type { FleetHost } from '../config/fleet-file.ts'
import { joinOutcomes, locate, NetopsError, type HostOutcome } from '../model/errors.ts'
import { describeSource } from '../model/file-source.ts'
import { formatDuration } from '../model/units.ts'
import type { SshSettings } from '../drivers/hosts/ssh-settings.ts'
import { defineCommand, type CommandContext } from './command.ts'
import type { Fleet, Target } from './fleet.ts'
import { fleetOptions, inventoryOptions, parseOptions } from './options.ts'

async function fleetOf(options: Readonly<Record<string, unknown>>, context: CommandContext): Promise<Fleet> {
  const { fleetSchema, readFleet } = await import('./fleet.ts')
  return readFleet(parseOptions(fleetSchema, options), context)
}

export const inventoryList = defineCommand({
  name: 'inventory list',
  summary: 'List the hosts of the fleet, those of hosts_from too, with how they are reached and what they are part of',
  examples: ['netops inventory list', 'netops inventory list --group edge --json', 'netops inventory list -e staging'],
  options: fleetOptions,
  async run({ options }, context) {
    const fleet = await fleetOf(options, context)
    const hosts = await withSettings(fleet, context)
    const rows = hosts.map(({ host, settings }) => [
      host.name,
      loginOf(settings),
      host.groups.join(',') || '-',
      host.roles.join(',') || '-',
      host.tags.join(',') || '-',
    ])
    return {
      outcome: 'done',
      data: { environment: fleet.environment, hosts: hosts.map(plainHost) },
      text: table([['HOST', 'LOGIN', 'GROUPS', 'ROLES', 'TAGS'], ...rows]),
    }
  },
})

interface Reached {
  readonly host: FleetHost
  readonly settings: SshSettings
}

/** The hosts of the fleet file with how they are reached, by that file and ssh_config together. */
async function withSettings(fleet: Fleet, context: CommandContext): Promise<readonly Reached[]> {
  const { settingsFor } = await import('./connect.ts')
  const all = await Promise.all(
    fleet.targets.map(async (target) => {
      const [host, settings] = [fleet.members.get(target.name), await settingsFor(target, context)]
      return host === undefined || settings === undefined ? [] : [{ host, settings }]
    }),
  )
  return all.flat()
}

const loginOf = ({ user, address, port }: SshSettings): string => `${user}@${address}${port === 22 ? '' : `:${port}`}`

const plainHost = ({ host: { name, login, roles, tags, groups }, settings }: Reached) => ({
  ...{ host: name, address: login.address, hostname: settings.address, port: settings.port, user: settings.user },
  ...{ identity: login.identity, knownHosts: settings.knownHosts[0], jump: settings.hops, become: login.become },
  ...(login.becomePassword && { becomePassword: describeSource(login.becomePassword) }),
  ...{ roles, tags, groups },
})

/** Rows in columns as wide as their widest cell. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

export const inventoryShow = defineCommand({
  name: 'inventory show',
  summary: 'Show what the fleet file says of one host: login, groups, what differs in its configuration, files',
  args: '<host>',
  examples: ['netops inventory show web1', 'netops inventory show web1 --json'],
  options: inventoryOptions,
  async run({ options, args: [name = ''] }, context) {
    const { serverKeys } = await import('../config/server-keys.ts')
    const fleet = await fleetOf({ ...options, hosts: name }, context)
    const [reached] = await withSettings(fleet, context)
    if (reached === undefined) throw new NetopsError('usage', { message: `there is no host ${name}` })
    const { host, settings } = reached
    const { showHop } = await import('../drivers/hosts/ssh-connect.ts')
    const secret = (path: string): boolean => serverKeys().some((key) => key.path === path && key.secret === true)
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
      data: { ...plainHost(reached), environment: fleet.environment, config: fleet.config?.name, differs, files },
      text: [name, ...lines.map(([what, value]) => `  ${what.padEnd(12)} ${value}`)].join('\n'),
    }
  },
})

interface Answer {
  readonly host: string
  readonly system: string | undefined
  readonly marked: string | undefined
  readonly ms: number
  readonly error: NetopsError | undefined
}

// Enough for the handshakes of a few dozen hosts to overlap, and few enough for any bastion.
const atOnce = 20

export const inventoryCheck = defineCommand({
  name: 'inventory check',
  summary: 'Log in to every host: does it answer, and is it marked as the environment that the fleet file is for?',
  examples: ['netops inventory check', 'netops inventory check --hosts web1,web2 --json'],
  options: fleetOptions,
  async run({ options }, context) {
    const fleet = await fleetOf(options, context)
    const answers: Answer[] = []
    const left = [...fleet.targets]
    const work = async (): Promise<void> => {
      for (let target = left.shift(); target !== undefined; target = left.shift()) {
        answers.push(await ask(target, fleet.environment, context))
      }
    }
    await Promise.all(Array.from({ length: Math.min(atOnce, left.length) }, work))
    const inOrder = fleet.targets.flatMap(({ name }) => answers.filter(({ host }) => host === name))
    const outcomes = inOrder.map(({ error }): HostOutcome => ({ outcome: error?.code ?? 'done', changed: false }))
    return {
      outcome: joinOutcomes(outcomes),
      data: {
        environment: fleet.environment,
        hosts: inOrder.map(({ error, ...rest }) => ({
          ...rest,
          ok: error === undefined,
          ...(error && { error: { code: error.code, message: error.message, hint: error.hint } }),
        })),
      },
      text: inOrder.map(told).join('\n'),
    }
  },
})

async function ask(target: Target, environment: string | undefined, context: CommandContext): Promise<Answer> {
  const { connect } = await import('./connect.ts')
  const { readerOf } = await import('./readers.ts')
  const { readEnvironment, refuseOtherEnvironment } = await import('../procedures/environment-mark.ts')
  const { hostPaths } = await import('../model/paths.ts')
  const begun = performance.now()
  const answer = { host: target.name, system: undefined, marked: undefined, error: undefined }
  const since = () => Math.round(performance.now() - begun)
  try {
    const connection = await connect(target, context)
    try {
      const reader = readerOf(connection)
      const { stdout } = await reader.query(['uname', '-srm'])
      const marked = await readEnvironment(reader, hostPaths(target.root))
      const seen = { ...answer, system: stdout.trim(), marked, ms: since() }
      try {
        refuseOtherEnvironment(target.name, marked, environment)
        return seen
      } catch (thrown) {
        return { ...seen, error: locate(thrown, { host: target.name }) }
      }
    } finally {
      await connection.close()
    }
  } catch (thrown) {
    return { ...answer, ms: since(), error: locate(thrown, { host: target.name }) }
  }
}

function told({ host, system, marked, ms, error }: Answer): string {
  if (error !== undefined)
    return `${host}: ${error.message}${error.hint === undefined ? '' : `\n  hint: ${error.hint}`}`
  return `${host}: answers in ${formatDuration(ms)}, ${system ?? ''}, ${marked === undefined ? 'not marked yet' : `marked as ${marked}`}`
}
