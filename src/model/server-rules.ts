// What keys of network_server's configuration say of each other, one rule an entry.
import type { ServerConfig } from './server-config.ts'
import type { Rule } from './rules.ts'

/**
 * A rule about one key.
 * @param path the key to change
 * @param about the other keys that it depends on
 * @param broken what is expected of the key; undefined where the rule holds
 */
const rule = (
  path: string,
  about: readonly string[],
  broken: (config: ServerConfig) => string | undefined,
): Rule<ServerConfig> => ({
  about: [path, ...about],
  broken: (config) => {
    const message = broken(config)
    return message === undefined ? [] : [{ path: path.split('.'), message }]
  },
})

const serverLogFiles = ({ logging: { file, outputs = [] } }: ServerConfig): readonly (string | undefined)[] => [
  file,
  ...outputs.map((output) => (output.type === 'file' ? output.path : undefined)),
]

const when = (broken: boolean, text: string): string | undefined => (broken ? text : undefined)

export const serverRules: readonly Rule<ServerConfig>[] = [
  rule('metrics.port', ['server.port'], ({ metrics, server }) =>
    when(metrics.port === server.port, 'expected another port than server.port'),
  ),
  rule('server.tls_port', ['server.port', 'metrics.port', 'security.ssl_enabled'], ({ server, metrics, security }) =>
    !security.ssl_enabled
      ? undefined
      : (when(server.tls_port === server.port, 'expected another port than server.port') ??
        when(server.tls_port === metrics.port, 'expected another port than metrics.port')),
  ),
  ...(['cert_file', 'key_file'] as const).map((name) =>
    rule(`security.${name}`, ['security.ssl_enabled'], ({ security }) =>
      when(
        security.ssl_enabled && security[name] === undefined,
        'missing; security.ssl_enabled is true: expected an absolute path',
      ),
    ),
  ),
  rule(
    'security.key_file',
    ['security.cert_file', 'security.ssl_enabled'],
    ({ security: { ssl_enabled, cert_file, key_file } }) =>
      when(
        !ssl_enabled && cert_file !== undefined && key_file === undefined,
        'missing; security.cert_file is set: expected the absolute path of its key',
      ),
  ),
  rule(
    'security.cert_file',
    ['security.key_file', 'security.ssl_enabled'],
    ({ security: { ssl_enabled, cert_file, key_file } }) =>
      when(
        !ssl_enabled && key_file !== undefined && cert_file === undefined,
        'missing; security.key_file is set: expected the absolute path of its certificate',
      ),
  ),
  rule('security.require_tls', ['security.ssl_enabled'], ({ security }) =>
    when(
      security.require_tls && !security.ssl_enabled,
      'expected false while security.ssl_enabled is false: nothing would be served',
    ),
  ),
  rule('security.allowed_origins', [], ({ security: { allowed_origins: origins = [] } }) =>
    when(origins.includes('*') && origins.length > 1, 'expected * alone, or origins without it'),
  ),
  rule('auth.jwt_secret_file', ['auth.jwt_secret'], ({ auth }) =>
    when(
      auth.jwt_secret !== undefined && auth.jwt_secret_file !== undefined,
      'expected only one of jwt_secret and jwt_secret_file',
    ),
  ),
  rule('performance.connection_pool_size', ['server.max_connections'], ({ performance, server }) =>
    when(
      performance.connection_pool_size > server.max_connections,
      `expected at most server.max_connections, ${server.max_connections}`,
    ),
  ),
  rule(
    'performance.connection_pool_min_size',
    ['performance.connection_pool_size'],
    ({ performance: { connection_pool_min_size: least, connection_pool_size: most } }) =>
      when(least > most, `expected at most performance.connection_pool_size, ${most}`),
  ),
  rule('database.password_file', ['database.password'], ({ database }) =>
    when(
      database.password !== undefined && database.password_file !== undefined,
      'expected only one of password and password_file',
    ),
  ),
  rule('database.ssl_mode', ['database.ssl_ca_file'], ({ database: { ssl_mode: mode, ssl_ca_file: file } }) =>
    when(
      file !== undefined && mode !== 'verify-full',
      'expected verify-full while database.ssl_ca_file is set: nothing else looks at certificates',
    ),
  ),
  rule('database.ssl_ca_file', ['database.ssl_mode'], ({ database: { ssl_mode: mode, ssl_ca_file: file } }) =>
    when(
      mode === 'verify-full' && file === undefined,
      'missing; database.ssl_mode is verify-full: expected the absolute path of the certificates of its authorities',
    ),
  ),
  rule('database.pool_min_idle', ['database.pool_size'], ({ database: { pool_min_idle: least, pool_size: most } }) =>
    when(least > most, `expected at most database.pool_size, ${most}`),
  ),
  rule('database.read_replicas', ['database.driver'], ({ database: { driver, read_replicas: replicas = [] } }) =>
    when(driver === 'sqlite' && replicas.length > 0, 'expected none while database.driver is sqlite'),
  ),
  rule('checkpoint.timeout', ['checkpoint.interval'], ({ checkpoint }) =>
    when(
      checkpoint.timeout >= checkpoint.interval,
      'expected less than checkpoint.interval, or checkpoints would overlap',
    ),
  ),
  rule('logging.outputs', [], ({ logging: { outputs = [] } }) => {
    const paths = outputs.flatMap((output) => (output.type === 'file' ? [output.path] : []))
    const seen = new Set<string>()
    const twice = paths.find((path) => seen.size === seen.add(path).size)
    return twice === undefined ? undefined : `expected each file once; ${twice} is written twice`
  }),
  rule('error_log.file', ['error_log.enabled', 'logging.file', 'logging.outputs'], (config) =>
    when(
      config.error_log.enabled && serverLogFiles(config).includes(config.error_log.file),
      'expected another file than those of logging',
    ),
  ),
  rule('access_log.file', ['access_log.enabled', 'error_log.file', 'logging.file', 'logging.outputs'], (config) =>
    when(
      config.access_log.enabled &&
        [...serverLogFiles(config), ...(config.error_log.enabled ? [config.error_log.file] : [])].includes(
          config.access_log.file,
        ),
      'expected another file than those of logging and error_log',
    ),
  ),
]
