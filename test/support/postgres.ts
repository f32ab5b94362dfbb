// A real PostgreSQL for tests: made in a folder, run on a free port, ended by the number of its process.
import { execFile, spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { appendFile, chmod, chown, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Client } from 'pg'
import { eventually, freePort } from './server-process.ts'

const versions = '/usr/lib/postgresql'
const account = 'postgres'

/** Where PostgreSQL's programs lie (Debian's place, the newest); undefined where it cannot be run. */
export async function findPostgres(): Promise<string | undefined> {
  if (!existsSync(versions)) return undefined
  const newest = (await readdir(versions)).sort((a, b) => Number(b) - Number(a))
  const folder = newest.map((name) => join(versions, name, 'bin')).find((bin) => existsSync(join(bin, 'initdb')))
  return folder !== undefined && (!isRoot() || idOf('-u') !== undefined) ? folder : undefined
}

export interface Postgres {
  readonly port: number
  /** Appends to postgresql.conf, and has the server read it again. */
  readonly configure: (lines: string) => Promise<void>
  /** Puts a line before all others of pg_hba.conf. */
  readonly access: (line: string) => Promise<void>
  /** A file that the server reads, and nobody else. */
  readonly write: (name: string, text: string) => Promise<string>
  /** Runs statements as the superuser. */
  readonly sql: (text: string, database?: string) => Promise<readonly Readonly<Record<string, unknown>>[]>
  /** Ends it: as an administrator does, breaking connections off, or as the kernel does. What it keeps stays. */
  readonly halt: (how?: 'SIGINT' | 'SIGKILL') => Promise<void>
  /** Starts it again on the same port. */
  readonly resume: () => Promise<void>
  /** A replica of it that streams, with a port of its own; its settings are the master's but for `more`. */
  readonly replica: (more?: Settings) => Promise<Postgres>
  /** Ends it at once and removes what it kept. */
  readonly stop: () => Promise<void>
}

export type Settings = Readonly<Record<string, string | number>>

/** @param extra put over postgresql.conf; `fsync` is off otherwise */
export async function startPostgres(bin: string, extra: Settings = {}): Promise<Postgres> {
  const folder = await ownFolder()
  try {
    await run([
      join(bin, 'initdb'),
      '-D',
      join(folder, 'data'),
      '-A',
      'trust',
      '-U',
      account,
      '--no-sync',
      '-E',
      'UTF8',
    ])
    return await startIn(bin, folder, extra)
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

/** One with the database and the account that a configuration names where it says nothing else. */
export async function startNetworkPostgres(bin: string): Promise<Postgres> {
  const postgres = await startPostgres(bin)
  await postgres.sql('CREATE ROLE network LOGIN')
  await postgres.sql('CREATE DATABASE network OWNER network')
  return postgres
}

async function replicaOf(bin: string, master: number, extra: Settings): Promise<Postgres> {
  const folder = await ownFolder()
  const from = ['-h', '127.0.0.1', '-p', String(master), '-U', account]
  try {
    // -R: what makes it a standby that streams from there
    await run([join(bin, 'pg_basebackup'), ...from, '-D', join(folder, 'data'), '-R', '-c', 'fast', '--no-sync'])
    return await startIn(bin, folder, extra)
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

async function startIn(bin: string, folder: string, extra: Settings): Promise<Postgres> {
  const data = join(folder, 'data')
  const port = await freePort()
  const settings = {
    ...{ port, listen_addresses: '127.0.0.1', unix_socket_directories: folder, fsync: 'off', wal_keep_size: '64MB' },
    ...extra,
  }
  const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  let server = await startServer(bin, data, options)
  const stop = async (): Promise<void> => {
    // SIGQUIT: at once, and without anything to be kept.
    await server.end('SIGQUIT')
    await rm(folder, { recursive: true })
  }
  return {
    port,
    stop,
    halt: (how = 'SIGINT') => server.end(how),
    resume: async () => {
      server = await startServer(bin, data, options)
    },
    replica: (more = {}) => replicaOf(bin, port, { ...extra, ...more }),
    sql: async (text, database = account) => {
      const client = new Client({ host: '127.0.0.1', port, user: account, database })
      await client.connect()
      try {
        return (await client.query<Readonly<Record<string, unknown>>>(text)).rows
      } finally {
        await client.end()
      }
    },
    configure: async (lines) => {
      await appendFile(join(data, 'postgresql.conf'), lines)
      process.kill(await server.pid(), 'SIGHUP')
    },
    access: async (line) => {
      const file = join(data, 'pg_hba.conf')
      await writeFile(file, `${line}\n${await readFile(file, 'utf8')}`)
      process.kill(await server.pid(), 'SIGHUP')
    },
    write: async (name, text) => {
      const file = join(data, name)
      await writeFile(file, text)
      await chmod(file, 0o600)
      await own(file)
      return file
    },
  }
}

async function startServer(bin: string, data: string, options: readonly string[]) {
  const [program, ...args] = asAccount([join(bin, 'postgres'), '-D', data, ...options])
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: plainEnv })
  let log = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (log += chunk.toString()))
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  // runuser stands between; the server writes its own number down.
  const pid = async (): Promise<number> => Number((await readFile(join(data, 'postmaster.pid'), 'utf8')).split('\n')[0])
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      await pid().then(
        (number) => process.kill(number, signal),
        () => child.kill('SIGTERM'),
      )
    }
    await ended
  }
  try {
    await eventually(() => {
      if (!/ready to accept (?:read-only )?connections/.test(log)) throw new Error(`PostgreSQL is not ready: ${log}`)
    })
  } catch (error) {
    await end('SIGQUIT')
    throw error
  }
  return { pid, end }
}

async function ownFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'netops-postgres-'))
  await own(folder)
  return folder
}

async function run(argv: readonly [string, ...string[]]): Promise<void> {
  const [program, ...args] = asAccount(argv)
  // Not waited for synchronously: other servers' output would not be read meanwhile.
  await promisify(execFile)(program, args, { timeout: 120_000, env: plainEnv })
}

const plainEnv = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8' }

const isRoot = (): boolean => process.getuid?.() === 0

// initdb and postgres refuse to run as root.
const asAccount = (argv: readonly [string, ...string[]]): readonly [string, ...string[]] =>
  isRoot() ? ['runuser', '-u', account, '--', ...argv] : argv

function idOf(flag: '-u' | '-g'): number | undefined {
  const { status, stdout } = spawnSync('id', [flag, account], { encoding: 'utf8' })
  return status === 0 ? Number(stdout) : undefined
}

async function own(path: string): Promise<void> {
  const [uid, gid] = [idOf('-u'), idOf('-g')]
  if (isRoot() && uid !== undefined && gid !== undefined) await chown(path, uid, gid)
}
