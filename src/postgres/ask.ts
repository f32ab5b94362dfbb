// Asks a PostgreSQL server by its own psql(1), on whichever host that runs: the password goes by standard input or lies in a file.
import * as z from 'zod'
import { NetopsError } from '../model/errors.ts'
import { parseJson } from '../model/json.ts'
import type { ExecOptions, ExecResult } from '../system/exec.ts'
import { connectionString, identifier, programEnvironment, type DatabaseLogin } from './login.ts'

/** Runs a command on the host from which the server is asked; its code may be anything. */
export type RunThere = (argv: readonly string[], options?: Pick<ExecOptions, 'stdin' | 'most'>) => Promise<ExecResult>

/** How a server is asked. */
export interface Asking {
  readonly run: RunThere
  /** The folder with PostgreSQL's programs. */
  readonly bin: string
  readonly login: DatabaseLogin
  readonly password: { readonly text: string | undefined } | { readonly passfile: string }
  /** For messages. */
  readonly host: string
}

const settings = Object.entries(programEnvironment)
const script = `unset ${settings.flatMap(([name, value]) => (value === undefined ? [name] : [])).join(' ')}
IFS= read -r password || :
if [ -n "$password" ]; then PGPASSWORD=$password; export PGPASSWORD; fi
unset password
PSQLRC=/dev/null ${settings.flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`])).join(' ')} exec "$@" < /dev/null`

const limitSql = 'SET statement_timeout = 10000'
const mostOfAnswer = 4 << 20

/**
 * Asks for one value, which the statement gives as JSON.
 * @throws NetopsError `refused` where the server refuses, with what to do about it; `unreachable` where it does not answer
 */
export async function askJson<T>(asking: Asking, sql: string, schema: z.ZodType<T>): Promise<T> {
  const text = await askText(asking, sql)
  const parsed = schema.safeParse(parseJson(text))
  if (parsed.success) return parsed.data
  throw new NetopsError('failed', {
    message: `${placeOf(asking.login)} gave no answer that netops understands: ${z.prettifyError(parsed.error).slice(0, 500)}`,
    cause: parsed.error,
  })
}

/** As {@link askJson}, for the text of the answer. */
export const askText = (asking: Asking, ...sql: readonly string[]): Promise<string> =>
  psql(asking, connectionOf(asking, false), [limitSql, ...sql])

/**
 * Asks who the server is on a connection for replication, which has a right and an entry of pg_hba.conf of its own.
 * @returns its system identifier
 * @throws NetopsError `refused` where such a connection is
 */
export async function identifySystem(asking: Asking): Promise<string> {
  const answer = await psql(asking, connectionOf(asking, true), ['IDENTIFY_SYSTEM'])
  const [systemId = ''] = answer.split('|')
  if (/^\d{1,20}$/.test(systemId)) return systemId
  throw new NetopsError('failed', { message: `${placeOf(asking.login)} does not say which cluster it is: ${answer}` })
}

const connectionOf = ({ login, password }: Asking, replication: boolean): string =>
  connectionString(login, {
    ...{ replication, name: 'netops' },
    passfile: 'passfile' in password ? password.passfile : '/dev/null',
  })

async function psql(asking: Asking, connection: string, sql: readonly string[]): Promise<string> {
  const { run, bin, password, login } = asking
  const options = ['-X', '-A', '-t', '-q', '-w', '-v', 'ON_ERROR_STOP=1', ...sql.flatMap((one) => ['-c', one])]
  const text = 'text' in password ? (password.text ?? '') : ''
  const { code, stdout, stderr } = await run(['sh', '-c', script, 'sh', `${bin}/psql`, ...options, connection], {
    stdin: { text: `${text}\n` },
    most: mostOfAnswer,
  })
  if (code === 0) return stdout.trim()
  throw refusalOf(stderr, login, asking.host)
}

/** A server for people. */
export const placeOf = ({ host, port, database }: DatabaseLogin): string => `${host}:${port}/${database}`

const longest = 1000

/** What PostgreSQL's programs say of a login that failed, with what to do. Pure. */
export function refusalOf(said: string, login: DatabaseLogin, host?: string): NetopsError {
  const reason = said
    .trim()
    .replace(/^psql: error: /, '')
    .slice(0, longest)
  const found = refusals.find(({ words }) => words.test(reason))
  return new NetopsError(found?.code ?? 'failed', {
    ...(host === undefined ? {} : { host }),
    message: `${placeOf(login)} as ${login.user}: ${reason === '' ? 'it gave no answer' : reason}`,
    hint: found?.hint(login),
  })
}

interface Refusal {
  readonly words: RegExp
  readonly code: 'refused' | 'unreachable'
  readonly hint: (login: DatabaseLogin) => string
}

const hbaLine = ({ user }: DatabaseLogin, what: string): string =>
  `${what} ${/^\w+$/.test(user) ? user : identifier(user)} ADDRESS-OF-THIS-HOST/32 scram-sha-256`

// PostgreSQL 15, src/backend/libpq/auth.c, replication/walsender.c, and libpq/fe-connect.c. A server that speaks another
// language is told by its own words alone.
const refusals: readonly Refusal[] = [
  {
    words: /password authentication failed|no password supplied/,
    code: 'refused',
    hint: ({ user }) =>
      `give netops the right password (database.password_file, or --password-file), or set it there: ALTER ROLE ${identifier(user)} PASSWORD '...';`,
  },
  {
    words: /pg_hba\.conf.*replication|replication.*pg_hba\.conf/,
    code: 'refused',
    hint: (login) =>
      `add a line to the server's pg_hba.conf, then SELECT pg_reload_conf(); the line: ${hbaLine(login, 'host replication')}`,
  },
  {
    words: /pg_hba\.conf/,
    code: 'refused',
    hint: (login) =>
      `add a line to the server's pg_hba.conf, then SELECT pg_reload_conf(); the line: ${hbaLine(login, `host ${login.database}`)}`,
  },
  {
    words: /superuser or replication role|permission denied to start WAL sender/,
    code: 'refused',
    hint: ({ user }) => `as a superuser of the database: ALTER ROLE ${identifier(user)} REPLICATION;`,
  },
  {
    words: /exceeds max_wal_senders|too many clients|remaining connection slots/,
    code: 'refused',
    hint: () => `as a superuser of the database, and restart it: ALTER SYSTEM SET max_wal_senders = 10;`,
  },
  {
    words: /role ".*" does not exist|is not permitted to log in/,
    code: 'refused',
    hint: ({ user }) =>
      `as a superuser of the database: CREATE ROLE ${identifier(user)} LOGIN REPLICATION PASSWORD '...';`,
  },
  {
    words: /database ".*" does not exist/,
    code: 'refused',
    hint: ({ database, user }) => `as a superuser: CREATE DATABASE ${identifier(database)} OWNER ${identifier(user)};`,
  },
  {
    words: /certificate|SSL/,
    code: 'refused',
    hint: () => 'see database.ssl_mode and database.ssl_ca_file: netops config validate --live',
  },
  {
    words:
      /Connection refused|timeout expired|could not translate host name|No route to host|Network is unreachable|starting up|shutting down|closed the connection/,
    code: 'unreachable',
    hint: ({ host, port }) => `is it running, and does it listen there: pg_isready -h ${host} -p ${port}`,
  },
]
