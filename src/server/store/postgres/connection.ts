// One connection to a PostgreSQL server, over pg. It alone knows pg.
import { Socket } from 'node:net'
import { Client, type ClientConfig } from 'pg'
import type { Address, Encryption, Login } from './settings.ts'
import { NoAnswer, QueryFailed, troubleOf } from './trouble.ts'

/** Prepared by the server under its name when a connection uses it first; without a name, each time anew. */
export interface Statement {
  readonly name?: string
  readonly text: string
}

export type Value = string | number | null | readonly number[]
export type Row = Readonly<Record<string, unknown>>

export interface Connection {
  /**
   * Resolves when the server is done with the statement: one that writes has been committed then, and is on the disk.
   * @param limitMs a server that is silent for longer has its connection closed
   * @throws QueryFailed
   */
  query(statement: Statement, values?: readonly Value[], limitMs?: number): Promise<readonly Row[]>
  /** Whether it can be used no more. */
  readonly lost: boolean
  /** Says goodbye if nothing is under way; the server takes back what is. */
  close(): void
}

/** The server's own limit for a statement, and ours, which also counts a network that swallows everything. */
export const statementLimitMs = 10_000
const answerLimitMs = 12_000
const goodbyeLimitMs = 1000

export interface Opening {
  readonly address: Address
  readonly login: Login
  /** How long connecting and logging in may take, in ms. */
  readonly limitMs: number
}

/**
 * Connects and logs in.
 * @param onLost called once when the connection is gone, for whatever reason but `close`
 * @throws what pg throws; StoreUnavailable when the password, or an authority for certificates, cannot be read
 */
export async function openConnection(opening: Opening, onLost: () => void): Promise<Connection> {
  const { address, login, limitMs } = opening
  const [password, encryption] = await Promise.all([login.password(), login.encryption()])
  const socket = new Socket()
  const client = new Client({
    ...address,
    database: login.database,
    user: login.user,
    // pg would look into the environment and ~/.pgpass otherwise.
    password: () => {
      if (password === undefined) throw new Error('the database asks for a password, and none is configured')
      return password
    },
    ssl: sslOf(encryption),
    application_name: 'network_server',
    connectionTimeoutMillis: limitMs,
    keepAlive: true,
    // A firewall on the way forgets silent connections, often after five minutes.
    keepAliveInitialDelayMillis: 60_000,
    stream: () => socket,
  })
  let lost = false
  let closing = false
  const lose = (): void => {
    if (lost) return
    lost = true
    socket.destroy()
    if (!closing) onLost()
  }
  client.on('error', lose)
  client.on('end', lose)
  try {
    await client.connect()
  } catch (error) {
    closing = true
    lose()
    throw error
  }
  return {
    get lost() {
      return lost || closing
    },
    async query(statement, values = [], limit = answerLimitMs) {
      let silent: NoAnswer | undefined
      const timer = setTimeout(() => {
        silent = new NoAnswer(limit)
        socket.destroy()
      }, limit)
      try {
        const { rows } = await client.query<Row>({ ...statement, values: [...values] })
        return rows
      } catch (error) {
        const trouble = troubleOf(silent ?? error)
        if (trouble.kind === 'lost') lose()
        throw new QueryFailed(trouble, silent ?? error)
      } finally {
        clearTimeout(timer)
      }
    },
    close() {
      if (lost || closing) return
      closing = true
      const timer = setTimeout(lose, goodbyeLimitMs)
      // Its only failure is a connection that is gone already.
      client
        .end()
        .catch(lose)
        .finally(() => clearTimeout(timer))
    },
  }
}

// A server that does not speak TLS then gets no word of a login: pg ends the connection (documentation, SSL Session Encryption).
function sslOf(encryption: Encryption): NonNullable<ClientConfig['ssl']> {
  switch (encryption.kind) {
    case 'none':
      return false
    case 'unverified':
      return { rejectUnauthorized: false, minVersion: 'TLSv1.2' }
    case 'verified':
      return { rejectUnauthorized: true, ca: encryption.authorities, minVersion: 'TLSv1.2' }
  }
}
