// The configuration of network_server: every key with its type, unit, range, default and meaning.
import * as z from 'zod'
import { absolutePath, bytes } from './config-values.ts'
import { accessLogKeys, errorLogKeys, loggingKeys } from './logging-config.ts'
import { zonedAddress } from './login-names.ts'
import { expects, key, once } from './schema-notes.ts'
import { duration, type Bytes } from './units.ts'

// Node's timers count in 32-bit milliseconds; a day is far below that and above any sensible limit for one request.
const longestTimeoutMs = 86_400_000

// A request is read into memory as a whole.
const largestRequest = 1e9

// guide: Resource Limits, nofile; a connection is a file.
const mostConnections = 1_000_000

/**
 * A section whose keys are all commented out reads as null in YAML: it is an empty section. Its keys are made when they are
 * first needed: making all of them takes as long as a third of the start of a command, and few commands read any.
 */
function section<Shape extends z.ZodRawShape>(keys: () => Shape, about: string) {
  const made = once(() => z.strictObject(keys()).readonly())
  return z.preprocess((given) => given ?? {}, z.lazy(made)).meta({ description: about })
}

export const port = z.int().min(1).max(65535) // guide: Configuration Validation

const label = '[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?'
// Something with nothing but digits in its last label is a wrong IPv4 address, not a name (RFC 1123, 2.1).
const hostName = new RegExp(`^(?=.{1,253}$)(?:${label}\\.)*(?=[^.]*[A-Za-z_-])${label}$`)
const ipv6 = z.ipv6()
const withZone = z
  .string()
  .regex(zonedAddress)
  .refine((text) => ipv6.safeParse(text.split('%')[0]).success)
const anyHost = z
  .union([z.string().regex(hostName), z.ipv4(), ipv6, withZone])
  .meta({ description: 'A host name or an IP address.' })

/** Without brackets, and without the port, which has a key of its own. */
export function meantHost(given: string): string | undefined {
  const [, inBrackets, bare, after] = /^(?:\[(.+)\]|([^:]+))(?::(\d{1,5}))?$/s.exec(given) ?? []
  const meant = inBrackets ?? bare
  if (meant === undefined || meant === given || !anyHost.safeParse(meant).success) return undefined
  return after === undefined ? meant : `${meant}, with port: ${after} beside it`
}

export const host = expects(anyHost, 'a host name or an IP address', meantHost)

const originWords = 'an origin such as https://app.example.com, or *'
const isOrigin = (text: string): boolean => URL.canParse(text) && new URL(text).origin === text
const origin = once(() =>
  expects(
    z
      .string()
      .regex(/^(?:\*|https?:\/\/(?:[a-z0-9_.-]+|\[[0-9a-f:.]+\])(?::[1-9][0-9]{0,4})?)$/, `expected ${originWords}`)
      .refine((text) => text === '*' || isOrigin(text), `expected ${originWords}`),
    originWords,
  ),
)

/** A duration that is not zero. */
const span = once(() =>
  expects(
    duration.refine((value) => value >= 1, 'expected a duration of at least 1ms'),
    'a duration such as 500ms, 30s, 5m, 2h, 1d or 2w',
  ),
)

// A timer of Node that is longer than 2^31 ms, 24.8 days, goes off at once.
const longestLimit = 24 * 86_400_000
/** A time limit: of what takes that long, or longer, somebody wants to know sooner. */
const timeLimit = once(() =>
  expects(
    span().refine((value) => value <= longestLimit, 'expected a duration of at most 24d'),
    'a duration of at most 24d, such as 500ms, 30s, 5m or 2h',
  ),
)

const replicaWords = 'an address such as db2.example.com or db2.example.com:5432'
const replica = once(() =>
  expects(
    z.string().regex(/^(?:[A-Za-z0-9_.-]+|\[[0-9a-fA-F:.]+\])(?::[1-9][0-9]{0,4})?$/, `expected ${replicaWords}`),
    replicaWords,
  ),
)

const noPool = { pending: 'this release has no pool' }

const server = section(
  () => ({
    host: key(host.default('0.0.0.0'), 'The address that the service listens on (guide: Configuration Structure).'),
    port: key(port.default(8080), 'The TCP port that speaks HTTP (guide: Configuration Structure).'),
    tls_port: key(
      port.default(8443),
      'The TCP port that speaks TLS where security.ssl_enabled is true (guide: Firewall Rules).',
    ),
    max_connections: key(
      z.int().min(1).max(mostConnections).default(1000),
      'Connections that may be open at once, plain and TLS together; for more, the longest silent ones are closed (guide: Configuration Structure).',
      { variable: 'NETWORK_MAX_CONNECTIONS' },
    ),
    worker_threads: key(
      z.union([z.literal('auto'), z.int().min(1).max(1024)]).default('auto'),
      'Threads that serve; auto is two a core, from 4 to 64 (guide: Thread Pool Tuning).',
    ),
  }),
  'Where the service listens, and how much it takes on at once.',
)

const security = section(
  () => ({
    auth: key(
      z.enum(['token', 'none']).default('token'),
      'What everything but health needs: a token, a JWT, HS256, with exp (guide: Authentication); or none, for networks where everybody may do everything.',
    ),
    ssl_enabled: key(z.boolean().default(false), 'Whether server.tls_port is opened.', {
      variable: 'NETWORK_SSL_ENABLED',
    }),
    require_tls: key(
      z.boolean().default(false),
      'Whether server.port answers health checks only, so that everything else must come by TLS.',
    ),
    min_tls_version: key(
      z.enum(['TLSv1.2', 'TLSv1.3']).default('TLSv1.2'),
      'The oldest version of TLS that is spoken (guide: TLS Configuration).',
    ),
    cert_file: key(absolutePath.optional(), 'The certificate with its chain, PEM.'),
    key_file: key(absolutePath.optional(), "The certificate's private key, PEM."),
    allowed_origins: key(
      z.array(origin()).readonly().optional(),
      'Origins whose pages may read answers (CORS); * allows all.',
      { pending: 'this release sends no CORS headers' },
    ),
  }),
  'Tokens, TLS, and who may ask from where.',
)

/** Keys that are no more, by section and name, and what says the same now. */
export const movedKeys: ReadonlyMap<string, string> = new Map([['auth.enabled', 'security.auth']])

// RFC 7518, 3.2: a key of at least the length of the hash, 256 bits, must be used with HS256.
const shortestSecret = 32

const auth = section(
  () => ({
    issuer: key(z.string().min(1).default('network_system'), 'The iss that tokens must have (guide: Authentication).'),
    jwt_secret: key(
      z.string().min(shortestSecret).optional(),
      'The key that tokens are signed with, at least 32 characters (RFC 7518, 3.2). Better: jwt_secret_file.',
      { secret: true },
    ),
    jwt_secret_file: key(
      absolutePath.optional(),
      'A file that holds the key, at least 32 bytes; a newline at its end is left out.',
    ),
  }),
  'Which tokens are good.',
)

const performance = section(
  () => ({
    connection_pool_size: key(
      z.int().min(1).optional(),
      'Most pooled connections to other services (guide: Connection Pooling).',
      { ...noPool, otherwise: '100, or server.max_connections if that is less' },
    ),
    connection_pool_min_size: key(
      z.int().min(0).optional(),
      'Pooled connections that are kept open (guide: Connection Pooling).',
      { ...noPool, otherwise: '10, or performance.connection_pool_size if that is less' },
    ),
    connection_pool_idle_timeout: key(
      span().prefault('60s'),
      'A pooled connection without use is closed after this time (guide: Connection Pooling).',
      noPool,
    ),
    connection_pool_connect_timeout: key(
      span().prefault('5s'),
      'How long opening a pooled connection may take (guide: Connection Pooling).',
      noPool,
    ),
    connection_pool_validate: key(
      z.boolean().default(true),
      'Whether a pooled connection is tried before it is used (guide: Connection Pooling).',
      noPool,
    ),
    request_timeout_ms: key(
      z.int().min(1).max(longestTimeoutMs).default(30_000),
      'How long a request may take to arrive, and a client may take nothing of an answer, in ms (guide: Configuration Structure).',
    ),
    keep_alive_timeout_ms: key(
      z.int().min(1).max(longestTimeoutMs).default(60_000),
      'How long a connection is kept for another request, in ms (guide: Configuration Structure).',
    ),
    max_request_size: key(
      bytes(largestRequest).default((10 * 2 ** 20) as Bytes),
      'The largest request body, in bytes or as a size (guide: Configuration Structure); all at once hold at most an eighth of the memory.',
    ),
    buffer_size: key(
      bytes(largestRequest).optional(),
      'The buffer of a connection, in bytes or as a size (guide: Vertical Scaling).',
      { pending: 'this release leaves buffers to the system', otherwise: "the system's" },
    ),
  }),
  'Time and size limits, pools and buffers.',
)

const database = section(
  () => ({
    driver: key(
      z.enum(['sqlite', 'postgres']).default('sqlite'),
      'Where state is kept: in a file of its own, or in PostgreSQL.',
    ),
    host: key(host.default('localhost'), 'The write master (guide: Database Scaling).'),
    port: key(port.default(5432), 'Its TCP port.'),
    name: key(z.string().min(1).default('network'), "The database's name (guide: Database Scaling)."),
    user: key(z.string().min(1).default('network'), 'Who the service logs in as, also on read replicas.'),
    password: key(z.string().min(1).optional(), "The user's password. Better: password_file.", { secret: true }),
    password_file: key(absolutePath.optional(), "A file that holds the user's password; read at each login."),
    ssl_mode: key(
      z.enum(['disable', 'require', 'verify-full']).optional(),
      'TLS to every server of the database: none; required, with whoever answers; or required with a certificate from ssl_ca_file that is for the name in host or read_replicas (as sslmode of libpq).',
      { otherwise: 'verify-full where database.ssl_ca_file is set, else disable' },
    ),
    ssl_ca_file: key(
      absolutePath.optional(),
      'The certificates of the authorities that the certificates of the database come from, PEM; read at each login.',
    ),
    pool_size: key(
      z.int().min(1).default(20),
      'Most connections to each server, for all threads together (guide: Database Scaling).',
    ),
    pool_min_idle: key(
      z.int().min(0).optional(),
      'Connections to each server that are kept open for the next request (guide: Database Scaling).',
      {
        otherwise: '5, or database.pool_size if that is less',
      },
    ),
    pool_idle_timeout: key(
      span().prefault('5m'),
      'One beyond those is closed after this time without use (guide: Database Scaling).',
    ),
    pool_connect_timeout: key(
      timeLimit().prefault('30s'),
      'How long connecting and logging in may take (guide: Database Scaling).',
    ),
    read_replicas: key(
      z.array(replica()).readonly().optional(),
      'Servers that are read from in turn, as long as each is a replica of the master and at most 3 s behind it (guide: Read Replicas).',
    ),
  }),
  'Where the service keeps its state.',
)

const checkpoint = section(
  () => ({
    interval: key(
      span().prefault('1h'),
      'A checkpoint of the state in SQLite is taken this often, by the time of the newest (guide: Recovery Point Objective).',
    ),
    timeout: key(timeLimit().prefault('5m'), 'A checkpoint that takes longer is given up.'),
    keep: key(z.int().min(1).default(24), 'This many checkpoints are kept, the newest.'),
  }),
  'Copies of the state that a restore begins from.',
)

const logging = section(loggingKeys, 'What is logged, and where to.')
const accessLog = section(accessLogKeys, 'A line for each request, in a file of its own.')
const errorLog = section(errorLogKeys, 'The errors of the server log, in a file of their own as well.')

const metrics = section(
  () => ({
    host: key(
      host.default('127.0.0.1'),
      'The address that /metrics is served on, to everybody who reaches it: an internal one (guide: Firewall Rules).',
    ),
    port: key(port.default(9090), 'Its TCP port (guide: Firewall Rules).'),
  }),
  'Figures for Prometheus.',
)

/** All sections by name. */
export const serverSections = {
  ...{ server, security, auth, performance, database, checkpoint },
  ...{ logging, access_log: accessLog, error_log: errorLog, metrics },
}

/**
 * `config.yaml`, key by key: all are optional. What keys say of each other is in `serverRules`, beside which a
 * configuration is checked (config/server-config.ts).
 */
export const serverConfigSchema = section(
  () => ({
    $schema: z.string().optional().meta({ description: 'Where an editor finds the description of this file.' }),
    ...serverSections,
  }),
  'The configuration of network_server.',
).transform(settled)

type Sections = { readonly [Name in keyof typeof serverSections]: z.infer<(typeof serverSections)[Name]> }

/** Defaults that depend on other keys. */
function settled({ server, security, auth, performance: limits, database: data, checkpoint, ...others }: Sections) {
  const poolSize = limits.connection_pool_size ?? Math.min(100, server.max_connections)
  return {
    server,
    security,
    auth,
    performance: {
      ...limits,
      connection_pool_size: poolSize,
      connection_pool_min_size: limits.connection_pool_min_size ?? Math.min(10, poolSize),
    },
    database: {
      ...data,
      pool_min_idle: data.pool_min_idle ?? Math.min(5, data.pool_size),
      ssl_mode: data.ssl_mode ?? (data.ssl_ca_file === undefined ? 'disable' : 'verify-full'),
    },
    checkpoint,
    ...others,
  }
}

export type ServerConfig = z.output<typeof serverConfigSchema>
