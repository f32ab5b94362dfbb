// The log of a PostgreSQL on a host of its own, received by a unit of systemd with all that it is kept from; and its database
// brought back on a host by the whole way that an operator goes.
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { execOnHost, hostRoot } from '../../src/lab/host.ts'
import { hostPaths, walUnitName } from '../../src/model/paths.ts'
import { exec, execText } from '../../src/system/exec.ts'
import { useLab } from '../support/lab.ts'
import { findPostgres } from '../support/postgres.ts'

const programs = await findPostgres()

describe.skipIf(programs === undefined)('a database on a host', () => {
  const { lab, host } = useLab('db1')
  const paths = hostPaths('/')
  const bin = programs ?? ''
  const on = (...argv: string[]) => execOnHost(host('db1'), argv)
  const must = async (...argv: string[]) => expect(await on(...argv)).toMatchObject({ code: 0 })
  const asPostgres = (...argv: string[]) => on('runuser', '-u', 'postgres', '--', ...argv)
  const sql = (text: string, ...words: string[]) =>
    asPostgres(`${bin}/psql`, '-h', '/tmp', '-U', 'postgres', '-At', ...words, '-c', text)
  let folder = ''

  const netops = async (...words: string[]) => {
    const argv = [inject('builds').netops, ...words, '--inventory', lab().inventory]
    const called = await exec(argv, { env: { NETOPS_STATE_DIR: join(folder, 'state') }, timeoutMs: 240_000 })
    return words.includes('--json') ? { ...called, json: JSON.parse(called.stdout) as unknown } : called
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'netops-database-'))
    // What Debian's packages would bring, from this machine, which is of the same release.
    const version = join(bin, '..')
    const linked = await execText([
      'sh',
      '-c',
      `ldd ${bin}/* ${version}/lib/*.so | awk '/=> \\// { print $3 }' | sort -u`,
    ])
    const needed = ['/usr/share/postgresql', '/usr/share/zoneinfo', version, ...linked.trim().split('\n')]
    const root = await hostRoot(host('db1'))
    // Without owners or links of folders: the host has merged /usr as this machine has.
    await execText([
      'sh',
      '-c',
      'tar -C / -ch "$@" | tar -C "$0" -x --keep-directory-symlink',
      root,
      ...needed.map((path) => path.slice(1)),
    ])
    await must(
      'useradd',
      '--system',
      '--create-home',
      '--home-dir',
      '/var/lib/postgresql',
      '--shell',
      '/bin/sh',
      'postgres',
    )
    expect(
      await asPostgres(
        `${bin}/initdb`,
        '-D',
        '/var/lib/postgresql/data',
        '-A',
        'scram-sha-256',
        '--auth-local=trust',
        '-U',
        'postgres',
        '--pwfile=/etc/hostname',
      ),
    ).toMatchObject({ code: 0 })
    expect(
      await asPostgres(
        `${bin}/pg_ctl`,
        '-D',
        '/var/lib/postgresql/data',
        '-l',
        '/var/lib/postgresql/log',
        '-o',
        '-c unix_socket_directories=/tmp',
        '-w',
        'start',
      ),
    ).toMatchObject({ code: 0 })
    expect(await sql("CREATE ROLE network LOGIN PASSWORD 'a secret'")).toMatchObject({ code: 0 })
    expect(await sql('CREATE DATABASE network OWNER network')).toMatchObject({ code: 0 })
    await must('mkdir', '-p', paths.configDir)
    const config = join(folder, 'config.yaml')
    await writeFile(config, "database: { driver: postgres, host: 127.0.0.1, password: 'a secret' }\n")
    await execText(['install', '-m', '0600', config, join(root, paths.config)])
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  it('has its log received by a unit that comes back, and comes back itself to a second', async () => {
    const refused = await netops('db', 'archive', 'setup')
    expect(refused.code).toBe(7)
    expect(refused.stdout + refused.stderr).toContain('ALTER ROLE "network" REPLICATION;')
    await sql('ALTER ROLE network REPLICATION')
    const set = await netops('db', 'archive', 'setup', '--json')
    expect([set.code, set.stdout]).toEqual([0, expect.stringContaining('"outcome":') as string])
    expect((await on('systemd-analyze', 'verify', paths.walUnit)).stderr).toBe('')
    expect((await on('systemctl', 'is-enabled', walUnitName)).stdout).toBe('enabled\n')
    await sql('SELECT pg_switch_wal()')
    const well = () => netops('db', 'archive', 'status').then(({ code }) => code)
    await expect.poll(well, { timeout: 60_000 }).toBe(0)

    await must('systemctl', 'kill', '--signal=SIGKILL', walUnitName)
    await expect.poll(well, { timeout: 60_000 }).toBe(0)
    expect((await on('systemctl', 'show', '--value', '--property', 'NRestarts', walUnitName)).stdout).not.toBe('0\n')
    expect((await on('journalctl', '-u', walUnitName, '--no-pager')).stdout).not.toContain('a secret')

    expect(await netops('backup', '--only', 'database')).toMatchObject({ code: 0 })
    await sql('CREATE TABLE marks (n int); INSERT INTO marks VALUES (1)', 'network')
    await on('sleep', '1.5')
    const between = (await on('date', '--utc', '+%Y-%m-%dT%H:%M:%SZ')).stdout.trim()
    await on('sleep', '1.5')
    await sql('INSERT INTO marks VALUES (2)', 'network')
    await sql('SELECT pg_switch_wal()')
    await expect.poll(well, { timeout: 60_000 }).toBe(0)

    const restored = await netops(
      'db',
      'restore',
      '--to',
      '/var/lib/postgresql/restored',
      '--target-time',
      between,
      '--promote',
    )
    expect([restored.code, restored.stdout]).toEqual([0, expect.stringContaining('it takes writes') as string])
    const asked = await asPostgres(
      `${bin}/psql`,
      '-h',
      '/var/lib/postgresql/restored',
      '-p',
      '5433',
      '-U',
      'postgres',
      '-At',
      'network',
      '-c',
      'SELECT n FROM marks',
    )
    expect(asked).toMatchObject({ code: 0, stdout: '1\n' })

    expect(await netops('db', 'archive', 'remove')).toMatchObject({ code: 0 })
    expect((await sql('SELECT count(*) FROM pg_replication_slots')).stdout).toBe('0\n')
    expect((await on('systemctl', 'is-active', walUnitName)).stdout).toBe('inactive\n')
    expect(await readdir(join(await hostRoot(host('db1')), paths.backups, 'wal'))).not.toEqual([])
  })
})
