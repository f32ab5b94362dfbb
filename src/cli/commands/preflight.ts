// netops preflight: the guide's pre-deployment checklist on every host of the fleet, by reading alone.
import { isIP } from 'node:net'
import * as z from 'zod'
import { replicasOf } from '../../config/live/database.ts'
import { parseServerConfig } from '../../config/server-config.ts'
import type { HostReader } from '../../drivers/hosts/port.ts'
import { readerOf } from '../../drivers/hosts/readers.ts'
import { exitCodes, joinOutcomes, locate, messageOf, type HostOutcome, type NetopsError } from '../../model/errors.ts'
import { hostPaths } from '../../model/paths.ts'
import type { ServerConfig } from '../../model/server-config.ts'
import { peersOf, readPreflightFacts, type Peer, type PreflightFacts } from '../../procedures/preflight/facts.ts'
import { judgeHost, type Configured, type Finding } from '../../procedures/preflight/judge.ts'
import { defineCommand, type CommandContext } from '../command.ts'
import { endpointsIn } from '../../procedures/deploy/configs.ts'
import { readFleetConfigs } from '../../fleet/configs.ts'
import { releasePath } from '../../fleet/own-netops.ts'
import { readFleet } from '../../fleet/fleet.ts'
import type { Target } from '../../model/target.ts'
import { servicesFor } from '../../drivers/services/choose.ts'
import { fleetOptions, fleetSchema, parseOptions } from '../options.ts'
import { readReleaseIfAny } from '../../procedures/deploy/release.ts'

export const preflight = defineCommand({
  name: 'preflight',
  summary: 'Look whether the hosts are fit for a deployment: system, resources, ports, clock, names, connections',
  examples: [
    'netops preflight',
    'netops preflight --group edge --config production.yaml -v',
    'netops preflight -e staging --release build/1.1.0/network_server --json',
  ],
  options: [
    ...fleetOptions,
    { flags: '--config <file>', description: "the configuration (default: the fleet file's, else what the host has)" },
    {
      flags: '--release <file>',
      description: 'the executable to deploy (default: build/network_server, if it is there)',
    },
  ],
  async run({ options }, context) {
    const schema = fleetSchema.extend({ config: z.string().optional(), release: z.string().optional() })
    const parsed = parseOptions(schema, options)
    const fleet = await readFleet(parsed, context)
    const release = await readReleaseIfAny(releasePath(parsed.release, context))
    const configs = await readFleetConfigs(parsed.config, fleet, context.cwd)
    const all = fleet.targets.flatMap((to): Peer[] =>
      to.kind === 'ssh' ? [{ host: to.name, address: to.address, port: to.port ?? 22 }] : [],
    )
    const looked = await lookAtAll(fleet.targets, context, (to) => {
      const text = configs.get(to.name)?.text
      return look(to, { release: release?.id, text, peers: peersOf(all, to.name) }, context)
    })
    const unreached = new Set(looked.flatMap((one) => ('error' in one ? [one.host] : [])))
    const judged = looked.map((one): Judged => {
      if ('error' in one) return { host: one.host, findings: [notLookedAt(one)], outcome: one.error.code }
      const findings = judgeHost(one.host, one.facts, {
        release: release && { platform: release.platform, size: release.file.size },
        configured: one.configured,
        environment: fleet.environment,
        unreached,
        others: all.length - 1,
      })
      const bad = findings.some(({ kind }) => kind === 'problem')
      return { host: one.host, findings, outcome: bad ? 'refused' : 'done' }
    })
    return {
      outcome: joinOutcomes(judged.map(({ outcome }) => ({ outcome, changed: false }))),
      data: {
        environment: fleet.environment,
        release: release?.id,
        hosts: judged.map(({ host, outcome, findings }) => ({
          host,
          outcome,
          exit: exitCodes[outcome].exit,
          ...countsOf(findings),
        })),
        findings: judged.flatMap(({ findings }) => findings),
      },
      text: describe(judged, context.verbosity > 0),
    }
  },
})

interface Judged {
  readonly host: string
  readonly findings: readonly Finding[]
  readonly outcome: HostOutcome['outcome']
}

interface Found {
  readonly host: string
  readonly facts: PreflightFacts
  readonly configured: Configured
}

interface NotFound {
  readonly host: string
  readonly error: NetopsError
}

// Enough for the handshakes of a few dozen hosts to overlap, and few enough for any bastion.
const atOnce = 20
const quietMs = 1000

/** Looks at every host, a few at a time, and tells of each that is done once it has taken a while. */
async function lookAtAll(
  targets: readonly Target[],
  context: CommandContext,
  lookAt: (to: Target) => Promise<Found>,
): Promise<readonly (Found | NotFound)[]> {
  const begun = performance.now()
  const done = new Map<string, Found | NotFound>()
  const left = [...targets]
  const work = async (): Promise<void> => {
    for (let to = left.shift(); to !== undefined; to = left.shift()) {
      const host = to.name
      done.set(host, await lookAt(to).catch((thrown: unknown) => ({ host, error: locate(thrown, { host }) })))
      if (performance.now() - begun > quietMs)
        context.progress(`${host}: looked at (${done.size} of ${targets.length})`)
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, left.length) }, work))
  return targets.flatMap(({ name }) => done.get(name) ?? [])
}

interface Asked {
  readonly release: string | undefined
  /** The configuration that the host would get; undefined where it keeps the one that it has. */
  readonly text: string | undefined
  readonly peers: readonly Peer[]
}

async function look(to: Target, { release, text, peers }: Asked, context: CommandContext): Promise<Found> {
  const connection = await context.connections.connect(to)
  try {
    const reader = readerOf(connection)
    const configured =
      text === undefined ? await configuredInPlace(reader) : configuredBy(parseServerConfig(text, 'it'))
    const names = 'names' in configured ? configured.names : []
    const services = servicesFor(to.root, hostPaths(to.root).netopsLink)
    const facts = await readPreflightFacts(reader, services, { release, names, peers, now: () => Date.now() })
    return { host: to.name, facts, configured }
  } finally {
    await connection.close()
  }
}

/** What the configuration that a host has asks of it; a deployment without another one would keep it. */
async function configuredInPlace(reader: HostReader): Promise<Configured> {
  const { config } = hostPaths('/')
  try {
    const text = await reader.readText(config)
    if (text !== undefined) return configuredBy(parseServerConfig(text, `${reader.name}:${config}`))
  } catch (thrown) {
    const error = locate(thrown, {})
    if (error.code === 'unreachable' || error.code === 'interrupted') throw thrown
    return { missing: messageOf(thrown), remedy: `mend ${config} on the host, or name another one with --config FILE` }
  }
  return {
    missing: 'the host has no configuration yet, and none was given',
    remedy: 'name one with --config FILE; examples/config.yaml is a start',
  }
}

const configuredBy = (config: ServerConfig): Configured => ({
  ports: endpointsIn(config).ports,
  names: namesIn(config),
})

/** The names that have to be found on the network; addresses need no resolving. */
function namesIn(config: ServerConfig): readonly string[] {
  if (config.database.driver !== 'postgres') return []
  const hosts = [config.database.host, ...replicasOf(config).map(({ host }) => host)]
  return [...new Set(hosts)].filter((name) => isIP(name) === 0)
}

const notLookedAt = ({ host, error }: NotFound): Finding => ({
  host,
  check: 'connect',
  kind: 'problem',
  message: error.message,
  ...(error.hint === undefined ? {} : { remedy: error.hint }),
})

const countsOf = (findings: readonly Finding[]) => {
  const count = (kind: Finding['kind']) => findings.filter((one) => one.kind === kind).length
  return { good: count('good'), warnings: count('warning'), problems: count('problem') }
}

/** A table a host with what is not good, or all of it, and below them what to do about it. */
function describe(judged: readonly Judged[], all: boolean): string {
  const shown = (findings: readonly Finding[]) => findings.filter(({ kind }) => all || kind !== 'good')
  const width = Math.max(0, ...judged.flatMap(({ findings }) => shown(findings).map(({ check }) => check.length)))
  const tables = judged.map(({ host, findings }) => {
    const { good, warnings, problems } = countsOf(findings)
    const counts = [
      several(problems, 'problem'),
      several(warnings, 'warning'),
      ...(good === 0 ? [] : [`${several(good, 'check')} good`]),
    ]
    const rows = shown(findings).map(
      ({ kind, check, message }) => `  ${kind.padEnd(7)}  ${check.padEnd(width)}  ${message}`,
    )
    return [`${host}: ${counts.filter((text) => !text.startsWith('0 ')).join(', ')}`, ...rows].join('\n')
  })
  const remedies = remediesOf(judged.flatMap(({ findings }) => findings))
  return [...tables, ...(remedies.length === 0 ? [] : ['', 'What to do:', ...remedies])].join('\n')
}

const several = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`

/** What is to be done on several hosts is told once. */
function remediesOf(findings: readonly Finding[]): readonly string[] {
  const told = new Map<string, string[]>()
  for (const { host, check, remedy } of findings) {
    if (remedy === undefined) continue
    const line = `${check}: ${remedy}`
    told.set(line, [...new Set([...(told.get(line) ?? []), host])])
  }
  return [...told].map(([line, hosts]) => `  ${line} (${hosts.join(', ')})`)
}
