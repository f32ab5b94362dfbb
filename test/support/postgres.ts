// A real PostgreSQL for tests: made in a folder, run on a free port, ended by the number of its process.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { appendFile, chmod, chown, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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
  /** A file that the server reads, and nobody else. */
  readonly write: (name: string, text: string) => Promise<string>
  readonly stop: () => Promise<void>
}

export async function startPostgres(bin: string): Promise<Postgres> {
  const folder = await mkdtemp(join(tmpdir(), 'netops-postgres-'))
  await own(folder)
  const data = join(folder, 'data')
  const [initdb, ...initArgs] = asAccount([join(bin, 'initdb'), '-D', data, '-A', 'trust', '-U', account, '--no-sync'])
  const made = spawnSync(initdb, initArgs, { encoding: 'utf8', timeout: 120_000, env: plainEnv })
  if (made.status !== 0) {
    await rm(folder, { recursive: true })
    throw new Error(`initdb failed: ${made.stdout}${made.stderr}`)
  }
  const port = await freePort()
  const settings = { port, listen_addresses: '127.0.0.1', unix_socket_directories: folder, fsync: 'off' }
  const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const [program, ...args] = asAccount([join(bin, 'postgres'), '-D', data, ...options])
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: plainEnv })
  let log = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (log += chunk.toString()))
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  // runuser stands between; the server writes its own number down.
  const pid = async (): Promise<number> => Number((await readFile(join(data, 'postmaster.pid'), 'utf8')).split('\n')[0])
  const stop = async (): Promise<void> => {
    // SIGQUIT: at once, and without anything to be kept.
    if (child.exitCode === null && child.signalCode === null) {
      await pid().then(
        (number) => process.kill(number, 'SIGQUIT'),
        () => child.kill('SIGTERM'),
      )
    }
    await ended
    await rm(folder, { recursive: true })
  }
  try {
    await eventually(() => {
      if (!log.includes('ready to accept connections')) throw new Error(`PostgreSQL is not ready: ${log}`)
    })
  } catch (error) {
    await stop()
    throw error
  }
  return {
    port,
    stop,
    configure: async (lines) => {
      await appendFile(join(data, 'postgresql.conf'), lines)
      process.kill(await pid(), 'SIGHUP')
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
