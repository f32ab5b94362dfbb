// What the configuration's `database` section says of PostgreSQL, as the driver needs it.
import { readFile } from 'node:fs/promises'
import { withoutNewline } from '../../../config/credentials.ts'
import { replicaAddress } from '../../../model/addresses.ts'
import { below } from '../../../model/paths.ts'
import type { ServerConfig } from '../../../model/server-config.ts'
import { StoreUnavailable } from '../port.ts'

export interface Address {
  readonly host: string
  readonly port: number
}

/** Who logs in, and to what; the same on the master and on its replicas. */
export interface Login {
  readonly database: string
  readonly user: string
  /** Asked at each login, so that a changed file counts from the next connection on; undefined where none is configured. */
  readonly password: () => Promise<string | undefined>
}

export interface PoolLimits {
  /** Most connections to one server. */
  readonly size: number
  /** This many wait opened while nobody needs them. */
  readonly minIdle: number
  /** One beyond those is closed after this long without use, in ms. */
  readonly idleMs: number
  /** How long connecting and logging in may take, in ms. */
  readonly connectMs: number
}

export interface PostgresSettings {
  readonly login: Login
  readonly pool: PoolLimits
  readonly master: Address
  readonly replicas: readonly Address[]
}

/**
 * The settings of a configuration whose `database.driver` is `postgres`. Reads no file: passwords are read at each login.
 * @param root before the path of the password's file
 */
export function postgresSettings({ database }: Pick<ServerConfig, 'database'>, root: string): PostgresSettings {
  const { password, password_file: file } = database
  return {
    login: {
      database: database.name,
      user: database.user,
      password: () => (file === undefined ? Promise.resolve(password) : readPassword(below(root, file))),
    },
    pool: {
      size: database.pool_size,
      minIdle: database.pool_min_idle,
      idleMs: database.pool_idle_timeout,
      connectMs: database.pool_connect_timeout,
    },
    master: { host: database.host, port: database.port },
    replicas: (database.read_replicas ?? []).map((text) => replicaAddress(text, database.port)),
  }
}

async function readPassword(file: string): Promise<string> {
  try {
    return withoutNewline(await readFile(file)).toString('utf8')
  } catch (cause) {
    throw new StoreUnavailable('the password of the database cannot be read', { cause })
  }
}
