// How PostgreSQL's own programs are told where to log in: connection strings and password files (libpq). Pure.
import { NetopsError } from '../model/errors.ts'
import * as z from 'zod'

export const loginSchema = z.strictObject({
  host: z.string(),
  port: z.int().min(1).max(65_535),
  database: z.string(),
  user: z.string(),
  ssl: z.enum(['disable', 'require', 'verify-full']),
  /** The file with the authorities that a server's certificate must come from. */
  authorities: z.string().exactOptional(),
})
/** Where to log in, and as whom; the password is not among it. */
export type DatabaseLogin = z.output<typeof loginSchema>

interface More {
  /** On a connection for replication; the database then does not matter. */
  readonly replication?: boolean
  /** The file that holds the password. */
  readonly passfile?: string | undefined
  /** What the server calls the connection. */
  readonly name?: string
}

/** @returns a connection string (PostgreSQL documentation, Connection Strings) */
export function connectionString(login: DatabaseLogin, { replication = false, passfile, name }: More = {}): string {
  const { host, port, database, user, ssl, authorities } = login
  const words: readonly (readonly [string, string | undefined])[] = [
    ['host', host],
    ['port', `${port}`],
    ['user', user],
    ['dbname', database],
    ['sslmode', ssl],
    ['sslrootcert', authorities],
    ['replication', replication ? 'true' : undefined],
    ['passfile', passfile],
    ['application_name', name],
    // As long as a person waits for an answer.
    ['connect_timeout', '5'],
  ]
  return words.flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${quoted(value)}`])).join(' ')
}

const quoted = (value: string): string =>
  /^[\w./:@-]+$/.test(value) ? value : `'${value.replaceAll(/[\\']/g, (character) => `\\${character}`)}'`

/**
 * A password file for one login (PostgreSQL documentation, The Password File).
 * @throws NetopsError `refused` for a password that has no place in one
 */
export function passfileText({ host, port, user }: DatabaseLogin, password: string): string {
  if (/[\n\r\0]/.test(password)) {
    throw new NetopsError('refused', {
      message: 'the password of the database holds an end of line, which no password file of PostgreSQL can',
      hint: 'give the account another password',
    })
  }
  const field = (value: string): string => value.replaceAll(/[\\:]/g, (character) => `\\${character}`)
  // Any database: connections for replication are looked up by another name.
  return `${[host, `${port}`, '*', user, password].map((value) => (value === '*' ? value : field(value))).join(':')}\n`
}

/** @returns an identifier as SQL takes it */
export const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** @returns a text as SQL takes it */
export const literal = (text: string): string =>
  text.includes('\\') ? `E'${text.replaceAll(/[\\']/g, (one) => one + one)}'` : `'${text.replaceAll("'", "''")}'`

const foreign = [
  'SERVICE',
  'SERVICEFILE',
  'OPTIONS',
  'PASSWORD',
  'PASSFILE',
  'HOSTADDR',
  'TARGETSESSIONATTRS',
  'SSLCERT',
  'SSLKEY',
]

/**
 * What the environment of PostgreSQL's programs is to be: whatever that of whoever calls says of servers and passwords must not
 * lead elsewhere (libpq, Environment Variables). Undefined removes a name.
 */
export const programEnvironment: Readonly<Record<string, string | undefined>> = {
  ...Object.fromEntries(foreign.map((name) => [`PG${name}`, undefined])),
  LC_ALL: 'C',
  PGCLIENTENCODING: 'UTF8',
}
