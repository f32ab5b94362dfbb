// Each host's own configuration: checked before anything is done, and told apart from what the host has.
import type { Override } from '../../config/validate.ts'
import { formatProblems, type Problem } from '../../config/problems.ts'
import { renderConfig } from '../../config/render.ts'
import { messageOf, NetopsError } from '../../model/errors.ts'
import { urlHost } from '../../model/login-names.ts'
import type { ServerConfig } from '../../model/server-config.ts'
import { mostOfConfig, readFileUpTo } from '../../system/bounded.ts'
import { sha256OfText } from '../../system/files.ts'
import type { Endpoints } from './request.ts'

/** What one host gets as its configuration. */
export interface HostConfig {
  readonly text: string
  readonly sha256: string
  /** The file that it stands in, where nothing differs on this host. */
  readonly asItStands: string | undefined
  readonly endpoints: Endpoints
}

/** A configuration that a command or the fleet file names: absolute, and as messages name it. */
export interface ConfigSource {
  readonly path: string
  readonly name: string
}

/** A host, with what differs in its configuration. */
export interface ConfiguredHost {
  readonly name: string
  readonly overrides: readonly Override[]
}

/**
 * Every host's configuration, checked; none where neither the command nor the fleet file names one.
 * @throws NetopsError `usage` with every problem of every host, each once
 */
export async function readConfigs(
  source: ConfigSource | undefined,
  hosts: readonly ConfiguredHost[],
): Promise<ReadonlyMap<string, HostConfig>> {
  if (source === undefined) {
    const differing = hosts.find(({ overrides }) => overrides.length > 0)
    if (differing === undefined) return new Map()
    throw new NetopsError('usage', {
      message: `the fleet file says what differs on ${differing.name}, but names no configuration that it differs from`,
      hint: 'set config: { file: ... } in it, or name one with --config FILE',
    })
  }
  const given = await readFileUpTo(source.path, mostOfConfig).catch((error: unknown) => {
    throw new NetopsError('usage', { message: `cannot read the configuration ${source.name}: ${messageOf(error)}` })
  })
  const text = given.toString('utf8')
  // Hosts on which the same differs get the same: of thousands, most do.
  const made = new Map<string, ReturnType<typeof renderConfig>>()
  const render = (overrides: readonly Override[]): ReturnType<typeof renderConfig> => {
    const key = JSON.stringify(overrides)
    const known = made.get(key) ?? renderConfig(text, source.name, overrides)
    made.set(key, known)
    return known
  }
  const rendered = hosts.map(({ name, overrides }) => ({ name, overrides, made: render(overrides) }))
  const refused = rendered.flatMap(({ name, made }) => ('problems' in made ? [{ name, ...made }] : []))
  if (refused.length > 0) throw new NetopsError('usage', { message: problemLines(refused, rendered.length) })
  return new Map(
    rendered.flatMap(({ name, overrides, made }): readonly [string, HostConfig][] => {
      if ('problems' in made) return []
      const asItStands = overrides.length === 0 ? source.path : undefined
      const endpoints = endpointsIn(made.read.value)
      return [[name, { text: made.text, sha256: sha256OfText(made.text), asItStands, endpoints }]]
    }),
  )
}

interface Refused {
  readonly name: string
  readonly problems: readonly Problem[]
}

/** What is wrong on all hosts stands there once; what is wrong on some, with their names. */
function problemLines(refused: readonly Refused[], hosts: number): string {
  const namesByLine = new Map<string, string[]>()
  for (const { name, problems } of refused) {
    for (const problem of problems) {
      const line = formatProblems([problem])
      const known = namesByLine.get(line)
      if (known === undefined) namesByLine.set(line, [name])
      else known.push(name)
    }
  }
  return [...namesByLine].map(([line, on]) => (on.length === hosts ? line : `${line} (on ${fewOf(on)})`)).join('\n')
}

const fewOf = (names: readonly string[]): string =>
  names.length > 20 ? `${names.slice(0, 20).join(', ')} and ${names.length - 20} more` : names.join(', ')

/** Where a configuration makes the service answer on its own host. */
export function endpointsIn({ server, metrics, security }: ServerConfig): Endpoints {
  const host = server.host === '0.0.0.0' || server.host === '::' ? '127.0.0.1' : server.host
  const base = `http://${urlHost(host)}:${server.port}`
  const ports = [server.port, ...(security.ssl_enabled ? [server.tls_port] : [])]
  return {
    readyUrl: `${base}/health/ready`,
    healthUrl: `${base}/health`,
    ports: [...ports, metrics.port],
    listen: { host: server.host, ports, threads: server.worker_threads },
  }
}
