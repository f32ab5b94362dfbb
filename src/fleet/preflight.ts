// Whether the hosts of a fleet are fit for a deployment: each is looked at, then judged.
import { isIP } from 'node:net'
import { replicasOf } from '../config/live/database.ts'
import { parseServerConfig } from '../config/server-config.ts'
import type { HostConnection, HostReader } from '../drivers/hosts/port.ts'
import { readerOf } from '../drivers/hosts/readers.ts'
import { servicesFor } from '../drivers/services/choose.ts'
import { locate, messageOf, type NetopsError, type Outcome } from '../model/errors.ts'
import { hostPaths } from '../model/paths.ts'
import type { ServerConfig } from '../model/server-config.ts'
import type { Target } from '../model/target.ts'
import { endpointsIn, type HostConfig } from '../procedures/deploy/configs.ts'
import type { ReleaseFile } from '../procedures/deploy/release.ts'
import { peersOf, readPreflightFacts, type Peer, type PreflightFacts } from '../procedures/preflight/facts.ts'
import { judgeHost, type Configured, type Finding, type PreflightTarget } from '../procedures/preflight/judge.ts'
import type { FleetContext } from './context.ts'
import type { Fleet } from './fleet.ts'
import { onEachHost, type HostAnswer } from './pool.ts'

/** What is to be deployed, as far as it is known. */
export interface PlannedDeployment {
  readonly release: ReleaseFile | undefined
  /** The configuration of each host; none for a host that keeps what it has. */
  readonly configs: ReadonlyMap<string, HostConfig>
}

export interface JudgedHost {
  readonly host: string
  readonly findings: readonly Finding[]
  readonly outcome: Outcome
}

const quietMs = 1000

/** Looks at every host, and tells of each that is done once it has taken a while. */
export async function preflightHosts(
  { release, configs }: PlannedDeployment,
  { targets, environment }: Pick<Fleet, 'targets' | 'environment'>,
  context: FleetContext,
): Promise<readonly JudgedHost[]> {
  const peers = targets.flatMap((to): Peer[] =>
    to.kind === 'ssh' ? [{ host: to.name, address: to.address, port: to.port ?? 22 }] : [],
  )
  const begun = performance.now()
  const answers = await onEachHost(
    {
      targets,
      work: (connection, to) => {
        const text = configs.get(to.name)?.text
        return lookAt(connection, to, { release: release?.id, text, peers: peersOf(peers, to.name) })
      },
      progress: (host, done) => {
        if (performance.now() - begun > quietMs) context.progress(`${host}: looked at (${done} of ${targets.length})`)
      },
    },
    context,
  )
  const unreached = new Set(answers.flatMap(({ host, error }) => (error === undefined ? [] : [host])))
  const platform = release && { platform: release.platform, size: release.file.size }
  return answers.map((answer) => judge(answer, { release: platform, environment, unreached, others: peers.length - 1 }))
}

function judge({ host, value, error }: HostAnswer<LookedAt>, target: Omit<PreflightTarget, 'configured'>): JudgedHost {
  if (error !== undefined) return { host, findings: [notLookedAt(host, error)], outcome: error.code }
  const findings = judgeHost(host, value.facts, { ...target, configured: value.configured })
  return { host, findings, outcome: findings.some(({ kind }) => kind === 'problem') ? 'refused' : 'done' }
}

const notLookedAt = (host: string, { message, hint }: NetopsError): Finding => ({
  host,
  check: 'connect',
  kind: 'problem',
  message,
  ...(hint === undefined ? {} : { remedy: hint }),
})

interface LookedAt {
  readonly facts: PreflightFacts
  readonly configured: Configured
}

/** What of a deployment concerns one host. */
interface HostDeployment {
  readonly release: string | undefined
  /** The configuration that the host would get; undefined where it keeps the one that it has. */
  readonly text: string | undefined
  readonly peers: readonly Peer[]
}

async function lookAt(
  connection: HostConnection,
  { root }: Target,
  { release, text, peers }: HostDeployment,
): Promise<LookedAt> {
  const reader = readerOf(connection)
  const configured = text === undefined ? await configuredInPlace(reader) : configuredBy(parseServerConfig(text, 'it'))
  const names = 'names' in configured ? configured.names : []
  const services = servicesFor(root, hostPaths(root).netopsLink)
  const facts = await readPreflightFacts(reader, services, { release, names, peers, now: () => Date.now() })
  return { facts, configured }
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
