// network_server's configuration: `config.yaml`, then the environment, checked as one; and what of it this release leaves aside.
import { logLevels, serverConfigSchema, type ServerConfig } from '../model/server-config.ts'
import { checkYaml, valueOf, type Checked, type Override } from './validate.ts'
import type { Path } from './yaml.ts'

export type Environment = Readonly<Record<string, string | undefined>>

const asNumber = (text: string): unknown => (/^\d+$/.test(text) ? Number(text) : text)
const asBoolean = (text: string): unknown => (text === 'true' ? true : text === 'false' ? false : text)
const asText = (text: string): unknown => text

// guide: Environment Variables; the others are what tuning sets
const variables: Readonly<Record<string, { readonly path: Path; readonly read: (text: string) => unknown }>> = {
  NETWORK_SERVER_HOST: { path: ['server', 'host'], read: asText },
  NETWORK_SERVER_PORT: { path: ['server', 'port'], read: asNumber },
  NETWORK_LOG_LEVEL: { path: ['logging', 'level'], read: asText },
  NETWORK_SSL_ENABLED: { path: ['security', 'ssl_enabled'], read: asBoolean },
  NETWORK_MAX_CONNECTIONS: { path: ['server', 'max_connections'], read: asNumber },
  NETWORK_SERVER_WORKER_THREADS: { path: ['server', 'worker_threads'], read: asNumber },
  NETWORK_PERFORMANCE_CONNECTION_POOL_SIZE: { path: ['performance', 'connection_pool_size'], read: asNumber },
  NETWORK_PERFORMANCE_BUFFER_SIZE: { path: ['performance', 'buffer_size'], read: asNumber },
}

/**
 * Checks the text of a `config.yaml`.
 * @param file its name in messages
 * @param env where the `NETWORK_*` variables are looked up; an empty one counts as not set. Without it, the
 *   file is checked by itself
 */
export function checkServerConfig(text: string, file: string, env: Environment = {}): Checked<ServerConfig> {
  const overrides = Object.entries(variables).flatMap(([name, { path, read }]): readonly Override[] => {
    const given = env[name]
    return given === undefined || given === '' ? [] : [{ path, value: read(given), origin: name }]
  })
  const checked = checkYaml(text, file, serverConfigSchema, { overrides })
  return 'problems' in checked ? checked : { value: withLevelOf(env, checked.value) }
}

/**
 * As {@link checkServerConfig}, for a configuration that must be valid.
 * @throws NetopsError `usage` whose message is one line a problem
 */
export function parseServerConfig(text: string, file: string, env: Environment = {}): ServerConfig {
  return valueOf(checkServerConfig(text, file, env))
}

/** NETWORK_LOG_LEVEL is for looking closer at a running service, so it also wins over the level of each single output. */
function withLevelOf(env: Environment, config: ServerConfig): ServerConfig {
  const level = logLevels.find((name) => name === env.NETWORK_LOG_LEVEL)
  if (level === undefined || config.logging.outputs === undefined) return config
  const outputs = config.logging.outputs.map((output) => ({ ...output, level }))
  return { ...config, logging: { ...config.logging, outputs } }
}

/** What a configuration asks for that this release does not do, a sentence each; empty when all of it is in effect. */
export function notYetInEffect(config: ServerConfig): string[] {
  const { server, security, performance, logging } = config
  const outputs = logging.outputs ?? []
  const tls = security.ssl_enabled
  const notes: readonly (readonly [boolean, string])[] = [
    [tls, 'security.ssl_enabled is true, but this release has no TLS listener: all traffic is PLAIN HTTP'],
    [server.tls_port !== undefined, 'server.tls_port: this release has no TLS listener; nothing listens on it'],
    [
      security.cert_file !== undefined || security.key_file !== undefined,
      'security.cert_file and security.key_file: this release does not read them',
    ],
    [security.allowed_origins !== undefined, 'security.allowed_origins: this release sends no CORS headers'],
    [
      server.worker_threads !== undefined && server.worker_threads !== 1,
      `server.worker_threads is ${server.worker_threads ?? 1}, but this release serves from one thread`,
    ],
    [performance.connection_pool_size !== undefined, 'performance.connection_pool_size: this release has no pool'],
    [performance.buffer_size !== undefined, 'performance.buffer_size: this release leaves buffers to the system'],
    [
      logging.max_size_mb !== undefined || logging.max_files !== undefined,
      'logging.max_size_mb and logging.max_files: this release does not rotate its log file',
    ],
    ...outputs.map((output, index): readonly [boolean, string] =>
      output.type === 'syslog'
        ? [true, `logging.outputs[${index}]: this release does not write to syslog`]
        : [
            output.type === 'file' && output.rotation !== undefined,
            `logging.outputs[${index}].rotation: this release does not rotate its log file`,
          ],
    ),
  ]
  return notes.filter(([applies]) => applies).map(([, note]) => note)
}
