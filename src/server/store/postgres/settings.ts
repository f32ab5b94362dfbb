// What the configuration's `database` section says of PostgreSQL, as the driver needs it.
import { readFile } from 'node:fs/promises'
import { readChain, withoutNewline } from '../../../config/credentials.ts'
import { replicaAddress } from '../../../model/addresses.ts'
import { below } from '../../../model/paths.ts'
import type { ServerConfig } from '../../../model/server-config.ts'
import { StoreUnavailable } from '../port.ts'

export interface Address {
  readonly host: string
  readonly port: number
}

/** What a connection must be before anything is said on it, the login's name included. */
export type Encryption =
  | { readonly kind: 'none' }
  /** TLS with whoever answers: nobody on the way can read along who does not also answer. */
  | { readonly kind: 'unverified' }
  /** TLS with a server whose certificate is for its address and comes from one of these authorities, in PEM form. */
  | { readonly kind: 'verified'; readonly authorities: string }

/** Who logs in, and to what; the same on the master and on its replicas. */
export interface Login {
  readonly database: string
  readonly user: string
  /** Asked at each login, as the password is. */
  readonly encryption: () => Promise<Encryption>
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
  const { password, password_file: file, ssl_ca_file: authorities } = database
  return {
    login: {
      database: database.name,
      user: database.user,
      encryption: async () => {
        if (database.ssl_mode === 'disable') return { kind: 'none' }
        if (authorities === undefined) return { kind: 'unverified' }
        return { kind: 'verified', authorities: await readAuthorities(below(root, authorities)) }
      },
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
  return withoutNewline(await readAnew(file, 'the password of the database')).toString('utf8')
}

async function readAuthorities(file: string): Promise<string> {
  const what = 'the authorities of the certificate of the database'
  const found = readChain(await readAnew(file, what))
  // Without any, the runtime would take those that it brings along.
  if ('reason' in found) throw new StoreUnavailable(`${what} cannot be read`, { cause: new Error(found.reason) })
  return found.value.pem
}

async function readAnew(file: string, what: string): Promise<Buffer> {
  try {
    return await readFile(file)
  } catch (cause) {
    throw new StoreUnavailable(`${what} cannot be read`, { cause })
  }
}
