// The configuration of network_server: every key of the guide's configuration files, what it may hold and its default.
import { z } from 'zod'
import { duration, formatBytes, size, type Bytes } from './units.ts'

/** The guide's names for how much is logged (guide: Logging Configuration), completed by the usual ones. */
export const logLevels = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'] as const
export type LogLevel = (typeof logLevels)[number]

// syslog(3): the facilities that are not reserved for the kernel.
const syslogFacilities = [
  ...['user', 'mail', 'daemon', 'auth', 'syslog', 'lpr', 'news', 'uucp', 'cron', 'authpriv', 'ftp'],
  ...Array.from({ length: 8 }, (_, index) => `local${index}`),
] as const

// Node's timers count in 32-bit milliseconds; a day is far below that and above any sensible limit for one request.
const longestTimeoutMs = 86_400_000

// A request is read into memory as a whole.
const largestRequest = 1e9

/** A section whose keys are all commented out reads as null in YAML: it is an empty section. */
const section = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.preprocess((given) => given ?? {}, z.strictObject(shape).readonly())

const port = z.int().min(1).max(65535) // guide: Configuration Validation

const hostPattern =
  /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/i
const host = z
  .string()
  .refine(
    (text) => (/^[\d.]+$/.test(text) ? isIpv4(text) : text.includes(':') ? isIpv6(text) : hostPattern.test(text)),
    'expected a host name or an IP address',
  )
  .describe('a host name or an IP address')
const isIpv4 = (text: string): boolean => z.ipv4().safeParse(text).success
const isIpv6 = (text: string): boolean => z.ipv6().safeParse(text).success

const absolutePath = z
  .string()
  .refine((text) => text.startsWith('/') && !text.includes('\0'), 'expected an absolute path')
  .describe('an absolute path')

const origin = z
  .string()
  .refine((text) => text === '*' || isOrigin(text), 'expected an origin such as https://app.example.com, or *')
  .describe('an origin such as https://app.example.com, or *')
const isOrigin = (text: string): boolean => URL.canParse(text) && /^https?:/.test(text) && new URL(text).origin === text

const bytes = (most: number) =>
  z.union([
    z.int().min(1).max(most),
    size
      .refine((value) => value >= 1 && value <= most, `expected a size from 1B to ${formatBytes(most)}`)
      .describe('a size such as 10MB'),
  ])

const rotation = z
  .strictObject({
    max_size: bytes(Number.MAX_SAFE_INTEGER).optional(),
    max_age: duration.describe('a duration such as 30d').optional(),
    max_backups: z.int().min(0).optional(),
  })
  .readonly()

const level = z.enum(logLevels)
const format = z.enum(['json'])

const output = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('console'), level: level.optional(), format: format.optional() }).readonly(),
  z
    .strictObject({
      type: z.literal('file'),
      level: level.optional(),
      format: format.optional(),
      path: absolutePath,
      rotation: rotation.optional(),
    })
    .readonly(),
  z
    .strictObject({
      type: z.literal('syslog'),
      level: level.optional(),
      format: format.optional(),
      facility: z.enum(syslogFacilities).optional(),
    })
    .readonly(),
])

/**
 * `config.yaml`. All keys are optional. A key that this release does not act on has no default: where it is present, the
 * file set it (see notYetInEffect).
 */
export const serverConfigSchema = section({
  server: section({
    host: host.default('0.0.0.0'), // guide: Configuration Structure, as are the other figures below
    port: port.default(8080),
    tls_port: port.optional(),
    max_connections: z.int().min(1).default(1000),
    worker_threads: z.union([z.literal('auto'), z.int().min(1)]).optional(),
  }),
  security: section({
    ssl_enabled: z.boolean().default(false),
    cert_file: absolutePath.optional(),
    key_file: absolutePath.optional(),
    allowed_origins: z.array(origin).readonly().optional(),
  }),
  performance: section({
    connection_pool_size: z.int().min(1).optional(),
    request_timeout_ms: z.int().min(1).max(longestTimeoutMs).default(30_000),
    keep_alive_timeout_ms: z.int().min(1).max(longestTimeoutMs).default(60_000),
    max_request_size: bytes(largestRequest).default((10 * 2 ** 20) as Bytes),
    buffer_size: bytes(largestRequest).optional(),
  }),
  logging: section({
    level: level.default('INFO'),
    file: absolutePath.optional(),
    max_size_mb: z.int().min(1).optional(),
    max_files: z.int().min(1).optional(),
    format: format.default('json'),
    outputs: z.array(output).min(1).readonly().optional(),
  }),
  metrics: section({
    host: host.default('127.0.0.1'),
    port: port.default(9090), // guide: Firewall Rules
  }),
}).superRefine((config, context) => {
  const { server, metrics } = config
  if (metrics.port === server.port) {
    context.addIssue({ code: 'custom', path: ['metrics', 'port'], message: 'expected another port than server.port' })
  }
  if (server.tls_port !== undefined && (server.tls_port === server.port || server.tls_port === metrics.port)) {
    const taken = server.tls_port === server.port ? 'server.port' : 'metrics.port'
    context.addIssue({ code: 'custom', path: ['server', 'tls_port'], message: `expected another port than ${taken}` })
  }
})
export type ServerConfig = z.infer<typeof serverConfigSchema>
