// Who logs in to the database, and with which password, as the configuration of a host says it.
import { withoutNewline } from '../config/credentials.ts'
import { checkServerConfig } from '../config/server-config.ts'
import { NetopsError } from '../model/errors.ts'
import { below, hostPaths } from '../model/paths.ts'
import type { DatabaseLogin } from './login.ts'

/** What stands in for the configuration's own login. */
export interface OtherLogin {
  readonly user?: string | undefined
  /** A file of the host with that account's password; its path is below the root. */
  readonly passwordFile?: string | undefined
}

export interface ConfiguredLogin {
  readonly login: DatabaseLogin
  /** Undefined where none is configured: the server may ask for none. */
  readonly password: string | undefined
}

/** Reads a file's text, or undefined where there is none. */
type ReadText = (path: string) => Promise<string | undefined>

/**
 * The login of a host's configuration in place.
 * @throws NetopsError `refused` where it keeps no records in PostgreSQL, or a password file is missing
 */
export async function configuredLogin(read: ReadText, root: string, other: OtherLogin = {}): Promise<ConfiguredLogin> {
  const { config } = hostPaths(root)
  const text = await read(config)
  if (text === undefined) {
    throw new NetopsError('refused', { message: `there is no ${config}`, hint: 'netops deploy brings it' })
  }
  const checked = checkServerConfig(text, config)
  if ('problems' in checked) {
    throw new NetopsError('refused', { message: `${config} is not valid`, hint: `netops config validate ${config}` })
  }
  const { database } = checked.value
  if (database.driver !== 'postgres') {
    throw new NetopsError('refused', {
      message: `${config} keeps its records in SQLite, which has no log that could be archived`,
      hint: 'its copies are checkpoints: netops checkpoint',
    })
  }
  const { ssl_ca_file: authorities } = database
  const login: DatabaseLogin = {
    ...{ host: database.host, port: database.port, database: database.name, user: other.user ?? database.user },
    ssl: database.ssl_mode,
    ...(authorities === undefined ? {} : { authorities: below(root, authorities) }),
  }
  // The password of another account is none of the configuration's.
  const own = other.user === undefined || other.user === database.user
  const file = other.passwordFile ?? (own ? database.password_file : undefined)
  if (file === undefined) return { login, password: own ? database.password : undefined }
  const secret = await read(below(root, file))
  if (secret === undefined) {
    const path = below(root, file)
    throw new NetopsError('refused', {
      message: `there is no ${path}, which should hold the password of ${login.user}`,
      hint: `write it there, for root alone: install -m 0600 /dev/stdin ${path}`,
    })
  }
  return { login, password: withoutNewline(Buffer.from(secret, 'utf8')).toString('utf8') }
}
