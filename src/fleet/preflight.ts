// The guide's pre-deployment checklist on every host of a fleet, by reading alone.
import { isIP } from 'node:net'
import { replicasOf } from '../config/live/database.ts'
import { parseServerConfig } from '../config/server-config.ts'
import type { HostReader } from '../drivers/hosts/port.ts'
import { readerOf } from '../drivers/hosts/readers.ts'
import { servicesFor } from '../drivers/services/choose.ts'
import { locate, messageOf, type NetopsError, type Outcome } from '../model/errors.ts'
import { hostPaths } from '../model/paths.ts'
import type { ServerConfig } from '../model/server-config.ts'
import { endpointsIn, type HostConfig } from '../procedures/deploy/configs.ts'
import type { ReleaseFile } from '../procedures/deploy/release.ts'
import { peersOf, readPreflightFacts, type Peer, type PreflightFacts } from '../procedures/preflight/facts.ts'
import { judgeHost, type Configured, type Finding } from '../procedures/preflight/judge.ts'
import type { FleetContext } from './context.ts'
import type { Fleet } from './fleet.ts'
import { onEachHost } from './pool.ts'

/** What is to be deployed, as far as it is known. */
export interface ToDeploy {
  readonly release: ReleaseFile | undefined
  /** By the host's name; a host that is not among them keeps the configuration that it has. */
  readonly configs: ReadonlyMap<string, HostConfig>
}

/** What the checklist says of one host. */
export interface CheckedHost {
  readonly host: string
  readonly findings: readonly Finding[]
  readonly outcome: Outcome
}

interface Examined {
  readonly facts: PreflightFacts
  readonly configured: Configured
}

/**
 * Looks at every host and judges what it found.
 * @param progress hears of each host that was looked at, with how many are
 */
export async function checkHosts(
  fleet: Fleet,
  { release, configs }: ToDeploy,
  context: FleetContext,
  progress: (host: string, done: number) => void,
): Promise<readonly CheckedHost[]> {
  const { targets, environment } = fleet
  const all = targets.flatMap((to): Peer[] =>
    // A zone is an interface of this machine, and means another one elsewhere.
    to.kind === 'ssh' && !to.address.includes('%') ? [{ host: to.name, address: to.address, port: to.port ?? 22 }] : [],
  )
  const answers = await onEachHost<Examined>(
    {
      targets,
      progress,
      work: async (connection, { name, root }) => {
        const reader = readerOf(connection)
        const text = configs.get(name)?.text
        const configured =
          text === undefined ? await configuredInPlace(reader) : configuredBy(parseServerConfig(text, 'it'))
        const names = 'names' in configured ? configured.names : []
        const services = servicesFor(root, hostPaths(root).netopsLink)
        const wanted = {
          release: release?.id,
          needs: release?.needs,
          names,
          peers: peersOf(all, name),
          now: () => Date.now(),
        }
        return { facts: await readPreflightFacts(reader, services, wanted), configured }
      },
    },
    context,
  )
  const unreached = new Set(answers.flatMap(({ host, error }) => (error === undefined ? [] : [host])))
  return answers.map(({ host, value, error }): CheckedHost => {
    if (value === undefined) return { host, findings: [notExamined(host, error)], outcome: error.code }
    const findings = judgeHost(host, value.facts, {
      release: release && { platform: release.platform, size: release.file.size, needs: release.needs },
      configured: value.configured,
      environment,
      unreached,
      others: all.length - 1,
    })
    return { host, findings, outcome: findings.some(({ kind }) => kind === 'problem') ? 'refused' : 'done' }
  })
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

const notExamined = (host: string, error: NetopsError): Finding => ({
  host,
  check: 'connect',
  kind: 'problem',
  message: error.message,
  ...(error.hint === undefined ? {} : { remedy: error.hint }),
})
