// Does a configuration fit this very machine? Looks at files, ports, names and databases, and changes none of them.
import { below, hostPaths } from '../model/paths.ts'
import type { ServerConfig } from '../model/server-config.ts'
import { accountOf } from './live/account.ts'
import { judgePair } from './live/certificate.ts'
import { examinePostgres, examineStateFile, replicasOf } from './live/database.ts'
import { contentOf, examineFile, examineFolder, examineLogFile, type Entry, type Eye } from './live/files.ts'
import { problem, warning, withinLimit, type LiveFinding, type LivePlace } from './live/finding.ts'
import { examineName, resolver } from './live/names.ts'
import { examinePort, type PortEntry } from './live/ports.ts'
import { judgeAuthorities, judgePassword, judgeTokenKey } from './live/secrets.ts'
import { serverKeys } from './server-keys.ts'

export { ownName } from './live/account.ts'
export type { LiveFinding, LivePlace } from './live/finding.ts'

type Findings = Promise<readonly LiveFinding[]>

/** All looks at once, each for at most 5 s. The findings are in the order of the schema. */
export async function checkLive(config: ServerConfig, place: LivePlace): Promise<readonly LiveFinding[]> {
  const account = await accountOf(place.user)
  const eye = { root: place.root, account }
  const found = await Promise.all([
    ...files(config, eye),
    ...folders(config, eye),
    ...contents(config, place),
    ...network(config, place.root),
  ])
  return found.flat().sort((a, b) => rankOf(a) - rankOf(b))
}

const rankOf = ({ path }: LiveFinding): number =>
  serverKeys().findIndex((key) => path === key.path || path.startsWith(`${key.path}[`))

type Viewpoint = Omit<Eye, 'signal'>

const entryOf = (key: string, path: string | undefined): readonly Entry[] => (path === undefined ? [] : [{ key, path }])

function files({ security, auth, database }: ServerConfig, eye: Viewpoint): readonly Findings[] {
  const look = (secret: boolean, entries: readonly Entry[]): readonly Findings[] =>
    entries.map((entry) => withinLimit(entry.key, (signal) => examineFile({ ...entry, secret }, { ...eye, signal })))
  return [
    ...look(false, entryOf('security.cert_file', security.cert_file)),
    ...look(true, entryOf('security.key_file', security.key_file)),
    ...look(true, entryOf('auth.jwt_secret_file', auth.jwt_secret_file)),
    ...look(true, entryOf('database.password_file', database.password_file)),
    ...look(false, entryOf('database.ssl_ca_file', database.ssl_ca_file)),
  ]
}

function folders(
  { logging, access_log: access, error_log: errors, database }: ServerConfig,
  eye: Viewpoint,
): readonly Findings[] {
  const logs = [
    ...entryOf('logging.file', logging.file),
    ...(logging.outputs ?? []).flatMap((output, index) =>
      output.type === 'file' ? entryOf(`logging.outputs[${index}].path`, output.path) : [],
    ),
    ...(errors.enabled ? entryOf('error_log.file', errors.file) : []),
    ...(access.enabled ? entryOf('access_log.file', access.file) : []),
  ]
  // No key names the data folder; what lies there depends on the driver.
  const data = { key: 'database.driver', path: hostPaths('/').dataDir }
  return [
    ...logs.map((entry) => withinLimit(entry.key, (signal) => examineLogFile(entry, { ...eye, signal }))),
    withinLimit(data.key, (signal) => examineFolder(data, { ...eye, signal })),
    ...(database.driver === 'sqlite'
      ? [withinLimit(data.key, (signal) => examineStateFile(data.key, { ...eye, signal }))]
      : []),
  ]
}

/** What stands in files; where one cannot be had, the finding for the file itself says why. */
function contents({ security, auth, database }: ServerConfig, { root, now }: LivePlace): readonly Findings[] {
  const look = (key: string, path: string | undefined, judge: (content: Buffer) => LiveFinding): readonly Findings[] =>
    entryOf(key, path).map((entry) =>
      withinLimit(key, async () => {
        const content = await contentOf(below(root, entry.path))
        return content === undefined ? [] : [judge(content)]
      }),
    )
  const { cert_file: certFile, key_file: keyFile } = security
  const pair = async (): Findings => {
    if (certFile === undefined || keyFile === undefined) return []
    const [cert, key] = await Promise.all([contentOf(below(root, certFile)), contentOf(below(root, keyFile))])
    return cert === undefined || key === undefined ? [] : judgePair(cert, key, now())
  }
  return [
    withinLimit('security.cert_file', pair),
    ...look('auth.jwt_secret_file', auth.jwt_secret_file, (text) => judgeTokenKey('auth.jwt_secret_file', text)),
    ...look('database.password_file', database.password_file, (text) => judgePassword('database.password_file', text)),
    ...look('database.ssl_ca_file', database.ssl_ca_file, (text) => judgeAuthorities('database.ssl_ca_file', text)),
  ]
}

function network(config: ServerConfig, root: string): readonly Findings[] {
  const { server, security, database, metrics } = config
  const resolve = resolver()
  const name = (key: string, host: string, say = problem): Findings =>
    withinLimit(key, () => examineName(key, host, resolve), say)
  const port = (entry: PortEntry): Findings => withinLimit(entry.key, () => examinePort(entry, { root, resolve }))
  const atServer = { hostKey: 'server.host', host: server.host }
  const atMetrics = { hostKey: 'metrics.host', host: metrics.host }
  const own = [
    name('server.host', server.host),
    port({ key: 'server.port', ...atServer, port: server.port, speaks: 'http' }),
    ...(security.ssl_enabled
      ? [port({ key: 'server.tls_port', ...atServer, port: server.tls_port, speaks: 'https' })]
      : []),
    name('metrics.host', metrics.host),
    port({ key: 'metrics.port', ...atMetrics, port: metrics.port, speaks: 'metrics' }),
  ]
  if (database.driver === 'sqlite') return own
  const asked = { limitMs: database.pool_connect_timeout, tls: database.ssl_mode !== 'disable', resolve }
  const master = { key: 'database.host', hostKey: 'database.host', host: database.host, port: database.port }
  return [
    ...own,
    name(master.key, master.host),
    withinLimit(master.key, (signal) => examinePostgres(master, asked, signal)),
    // The service starts and writes without a replica.
    ...replicasOf(config).flatMap((replica) => [
      name(replica.key, replica.host, warning),
      withinLimit(replica.key, (signal) => examinePostgres(replica, { ...asked, say: warning }, signal), warning),
    ]),
  ]
}
