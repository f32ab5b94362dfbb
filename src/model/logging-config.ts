// What the configuration of network_server says of logs.
import * as z from 'zod'
import { absolutePath, bytes } from './config-values.ts'
import { expects, key, once } from './schema-notes.ts'
import { duration } from './units.ts'

/** The guide's names for how much is logged (guide: Logging Configuration), completed by the usual ones. */
export const logLevels = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'] as const
export type LogLevel = (typeof logLevels)[number]

// syslog(3): the facilities that are not reserved for the kernel.
const syslogFacilities = [
  ...['user', 'mail', 'daemon', 'auth', 'syslog', 'lpr', 'news', 'uucp', 'cron', 'authpriv', 'ftp'],
  ...Array.from({ length: 8 }, (_, index) => `local${index}`),
] as const

const level = z.enum(logLevels)
const format = z.enum(['json'])

const maxAge = once(() => expects(duration, 'a duration such as 30d'))

const rotation = once(() =>
  z
    .strictObject({
      max_size: key(
        bytes(Number.MAX_SAFE_INTEGER).optional(),
        'The file is rotated before it grows larger than this; without it, 100MB.',
      ),
      max_age: key(
        maxAge().optional(),
        'A file older than this is rotated, and rotated files older than this are deleted.',
      ),
      max_backups: key(z.int().min(0).optional(), 'This many rotated files are kept; without it, all.'),
    })
    .readonly(),
)

const addressWords = 'an address such as udp://127.0.0.1:514, tcp://log.example.com:601 or unix:/run/log.sock'
const syslogAddress = once(() =>
  expects(
    z
      .string()
      .regex(
        /^(?:(?:udp|tcp):\/\/(?:[A-Za-z0-9_.-]+|\[[0-9a-fA-F:.]+\])(?::[1-9][0-9]{0,4})?|unix:\/[^\0?#%]+)$/,
        `expected ${addressWords}`,
      )
      .refine((text) => URL.canParse(text), `expected ${addressWords}`),
    addressWords,
  ),
)

const outputKeys = {
  level: key(level.optional(), 'From this level on; without it, that of logging.level.'),
  format: key(format.optional(), 'How a line is written.'),
}
const output = once(() =>
  z.discriminatedUnion('type', [
    z.strictObject({ type: z.literal('console'), ...outputKeys }).readonly(),
    z
      .strictObject({
        type: z.literal('file'),
        ...outputKeys,
        path: key(absolutePath, 'The file.'),
        rotation: key(rotation().optional(), 'When a new file is begun, and what becomes of the old ones.'),
      })
      .readonly(),
    z
      .strictObject({
        type: z.literal('syslog'),
        ...outputKeys,
        facility: key(z.enum(syslogFacilities).default('user'), "The messages' facility, syslog(3)."),
        address: key(
          syslogAddress().default('udp://127.0.0.1:514'),
          'The server: udp://HOST:PORT, tcp://HOST:PORT, or unix:/PATH of a stream socket.',
        ),
      })
      .readonly(),
  ]),
)

// In bytes it stays a whole number.
const maxSizeMb = once(() => z.int().min(1).max(1_000_000_000))
const maxFiles = once(() => z.int().min(1))

export const loggingKeys = () => ({
  level: key(level.default('INFO'), 'From this level on (guide: Configuration Structure).', {
    variable: 'NETWORK_LOG_LEVEL',
  }),
  file: key(absolutePath.optional(), 'A file that is written beside the outputs, or beside the console.'),
  max_size_mb: key(
    maxSizeMb().optional(),
    'The file is rotated before it grows larger, in MB (guide: Configuration Structure); with neither this nor max_files, never.',
  ),
  max_files: key(
    maxFiles().optional(),
    'This many rotated files are kept (guide: Configuration Structure); without it, all.',
  ),
  format: key(format.default('json'), 'How a line is written (guide: Configuration Structure).'),
  outputs: key(
    z.array(output()).min(1).readonly().optional(),
    'Where lines go, each from a level of its own on (guide: Logging Configuration); without it, to the console.',
  ),
})

/** Rotation as `logging` has it, but always: these are written without being asked for. */
const alwaysRotated = (age: string) => ({
  max_size_mb: key(maxSizeMb().default(100), 'The file is rotated before it grows larger, in MB.'),
  max_files: key(maxFiles().default(10), 'This many rotated files are kept.'),
  max_age: key(
    maxAge().prefault(age),
    'A file older than this is rotated, and rotated files older than this are deleted (guide: Retention Policies).',
  ),
})

export const accessLogKeys = () => ({
  enabled: key(z.boolean().default(true), 'Whether each request is logged.'),
  file: key(absolutePath.default('/var/log/network/access.log'), 'The file that requests are logged to.'),
  ...alwaysRotated('90d'),
})

export const errorLogKeys = () => ({
  enabled: key(z.boolean().default(true), 'Whether errors are logged to a file of their own too.'),
  file: key(absolutePath.default('/var/log/network/error.log'), 'The file that errors are logged to.'),
  level: key(level.default('ERROR'), 'From this level on.'),
  ...alwaysRotated('180d'),
})
