// The log of a real PostgreSQL archived, its base backups, and clusters restored from both, as a user does it below a root.
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest'
import { connectHere, readerOf } from '../../src/drivers/hosts/readers.ts'
import { servicesFor } from '../../src/drivers/services/choose.ts'
import { readHostArchive, type HostArchive } from '../../src/fleet/wal-archives.ts'
import { walUnitName } from '../../src/model/paths.ts'
import { decide } from '../../src/procedures/list.ts'
import type { WalArchiveRequest } from '../../src/procedures/wal-archive/request.ts'
import { exec } from '../../src/system/exec.ts'
import { listIfAny, readTextIfAny } from '../../src/system/files.ts'
import { findPostgres, startPostgres, type Postgres } from '../support/postgres.ts'
import { freePort } from '../support/server-process.ts'
import { makeSite, pause, type Site } from '../support/site.ts'

const programs = await findPostgres()
const password = 'se:cr\\et'

interface Unit {
  readonly supervisor: { readonly pid: number }
  readonly child?: { readonly pid: number }
}

describe.skipIf(programs === undefined)('the archive of a log', { timeout: 240_000 }, () => {
  let postgres: Postgres
  beforeAll(async () => {
    postgres = await startPostgres(programs ?? '')
    await postgres.sql(`CREATE ROLE network LOGIN REPLICATION PASSWORD '${password}'`)
    await postgres.sql('CREATE ROLE plain LOGIN')
    await postgres.sql('CREATE DATABASE network OWNER network')
    await postgres.sql('CREATE TABLE marks (n int)', 'network')
    await postgres.access('host all network 127.0.0.1/32 scram-sha-256')
    await postgres.access('host replication network 127.0.0.1/32 scram-sha-256')
  })
  afterAll(() => postgres.stop())

  /** A root whose configuration names this server. */
  async function siteFor(more = ''): Promise<Site> {
    const site = await makeSite()
    await mkdir(dirname(site.paths.config), { recursive: true })
    const login = more === '' ? `password: '${password}'` : more
    await writeFile(
      site.paths.config,
      `database: { driver: postgres, host: 127.0.0.1, port: ${postgres.port}, ${login} }\n`,
    )
    onTestFinished(async () => {
      await exec([inject('builds').netops, 'host', 'service', 'stop', '--unit', walUnitName, '--root', site.root])
      await postgres.sql(
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name LIKE 'netops%' AND NOT active",
      )
    })
    return site
  }
  const setUp = (site: Site, ...words: readonly string[]) => site.netops(['db', 'archive', 'setup', '--json', ...words])
  const status = async (site: Site, ...words: readonly string[]) => {
    const { code, json } = await site.netops(['db', 'archive', 'status', '--json', ...words])
    return { code, ...(json.hosts?.[0] as unknown as Status) }
  }
  interface Status {
    readonly streaming: boolean
    readonly receiver: string
    readonly gaps: readonly string[]
    readonly problems: readonly string[]
    readonly segments: number
    readonly lag: { readonly bytes: number }
    readonly slot: { readonly active: boolean; readonly keptBytes: number }
  }
  const unitOf = async (site: Site) =>
    JSON.parse((await readTextIfAny(join(site.paths.runtimeDir, `${walUnitName}.json`))) ?? '{}') as Unit
  const wal = (site: Site) => join(site.paths.backups, 'wal')
  const segments = async (site: Site) => (await listIfAny(wal(site))).filter((name) => /^[0-9A-F]{24}$/.test(name))
  /** Writes something, and has a new segment begin. */
  const turn = async (n: number) => {
    await postgres.sql(`INSERT INTO marks VALUES (${n})`, 'network')
    await postgres.sql('SELECT pg_switch_wal()')
  }
  /** Asks as the command does, without a process for each time. */
  const until = (site: Site, what: (found: HostArchive) => boolean) =>
    expect
      .poll(
        async () => {
          const bounds = { rpoMs: 60_000, mostKept: 2 ** 30 }
          const found = await readHostArchive(readerOf(connectHere('local')), site.root, bounds)
          return found !== undefined && what(found)
        },
        { timeout: 60_000, interval: 100 },
      )
      .toBe(true)

  it('is refused before anything is touched, with what has to be done', async () => {
    const none = await mkdtemp(join(tmpdir(), 'netops-no-programs-'))
    onTestFinished(() => rm(none, { recursive: true }))
    await chmod(none, 0o755)
    const refused = async (login: string, more: Partial<WalArchiveRequest> = {}) => {
      const site = await siteFor(login)
      const { root, paths } = site
      const request: WalArchiveRequest = {
        ...{
          procedure: 'wal-archive',
          run: '20261127T000000Z-wal-archive-0000',
          host: 'local',
          root,
          manager: 'process',
        },
        ...{ netops: paths.netopsLink, action: 'set-up', mode: 'stream', to: '/var/backups/network_system' },
        ...{ slot: 'netops_wal', synchronous: false, account: 'postgres', ...more },
      }
      const before = await readdir(site.root, { recursive: true })
      const sources = { reader: readerOf(connectHere('local')), services: servicesFor(root, paths.netopsLink) }
      const error: unknown = await decide(request, sources).catch((thrown: unknown) => thrown)
      expect(await readdir(site.root, { recursive: true })).toEqual(before)
      return error
    }
    expect(await refused('user: plain')).toMatchObject({
      code: 'refused',
      message: expect.stringContaining('plain has no right of replication') as string,
      hint: 'as a superuser of the database: ALTER ROLE "plain" REPLICATION;',
    })
    expect(await refused("password: 'wrong'")).toMatchObject({
      code: 'refused',
      message: expect.stringContaining('password authentication failed for user "network"') as string,
      hint: expect.stringContaining('database.password_file') as string,
    })
    expect(await refused('', { bin: none })).toMatchObject({
      code: 'refused',
      hint: expect.stringContaining('apt-get install postgresql-client') as string,
    })
    await postgres.sql('CREATE ROLE barred LOGIN REPLICATION')
    await postgres.access('host replication barred 127.0.0.1/32 reject')
    await expect
      .poll(() => refused('user: barred'), { timeout: 10_000 })
      .toMatchObject({
        code: 'refused',
        message: expect.stringContaining('pg_hba.conf rejects replication connection') as string,
        hint: expect.stringContaining('host replication barred ADDRESS-OF-THIS-HOST/32 scram-sha-256') as string,
      })
    expect(await refused('user: barred, ssl_mode: require')).toMatchObject({
      code: 'refused',
      message: expect.stringContaining('server does not support SSL') as string,
    })
  })

  it('receives the log as it is written, goes on after the server or the receiver was killed, and ends', async () => {
    const site = await siteFor()
    const dry = await setUp(site, '--dry-run')
    expect(dry).toMatchObject({ code: 0, json: { dryRun: true } })
    expect(
      await readdir(site.root, { recursive: true }).then((names) => names.filter((name) => /backups/.test(name))),
    ).toEqual([])

    expect(await setUp(site)).toMatchObject({ code: 0, json: { hosts: [{ outcome: 'done', changed: true }] } })
    await turn(1)
    await until(site, ({ segments: whole }) => whole > 0)
    await until(site, ({ lag }) => lag?.bytes === 0)
    expect(await status(site)).toMatchObject({
      ...{ code: 0, streaming: true, receiver: 'running', gaps: [], problems: [] },
      slot: { active: true },
    })
    expect(await setUp(site)).toMatchObject({ code: 0, json: { hosts: [{ changed: false }] } })
    // The password is in no argument, no journal and no unit.
    const words = await exec(['grep', '-rlF', password, site.root])
    expect(words.stdout.trim().split('\n').sort()).toEqual([site.paths.config].sort())
    expect((await exec(['ps', '-ww', '-eo', 'args'])).stdout).not.toContain(password)

    // The server goes and comes back.
    await postgres.halt('SIGKILL')
    expect(await status(site)).toMatchObject({
      code: 5,
      problems: [expect.stringContaining('the server cannot be asked') as string],
    })
    await postgres.resume()
    await turn(2)
    await until(site, ({ streaming, lag, gaps }) => streaming === true && lag?.bytes === 0 && gaps.length === 0)

    // The receiver dies, and its supervisor starts another.
    const first = await unitOf(site)
    process.kill(first.child?.pid ?? 0, 'SIGKILL')
    await expect.poll(async () => (await unitOf(site)).child?.pid, { timeout: 30_000 }).not.toBe(first.child?.pid)
    await turn(3)
    await until(site, ({ streaming, lag, gaps }) => streaming === true && lag?.bytes === 0 && gaps.length === 0)

    // Both die: setting it up once more starts both.
    const second = await unitOf(site)
    process.kill(second.supervisor.pid, 'SIGKILL')
    process.kill(second.child?.pid ?? 0, 'SIGKILL')
    await until(site, ({ problems }) => problems.length > 0)
    expect(await setUp(site)).toMatchObject({ code: 0, json: { hosts: [{ changed: true }] } })
    await turn(4)
    await until(site, ({ streaming, lag, gaps }) => streaming === true && lag?.bytes === 0 && gaps.length === 0)

    // What the server keeps while nobody receives.
    const stop = ['host', 'service', 'stop', '--unit', walUnitName]
    expect(await site.netops(stop)).toMatchObject({ code: 0 })
    await turn(5)
    await turn(6)
    const full = await status(site, '--max-retained', '1MB')
    expect(full).toMatchObject({ code: 5, streaming: false })
    expect(full.problems.join('\n')).toMatch(
      /not being received[^]*the server keeps \d+ MiB of its log for the slot netops_wal/,
    )
    await setUp(site)
    await until(site, ({ streaming, lag }) => streaming === true && lag?.bytes === 0)

    // A segment that is missing is named.
    const [, missing = ''] = await segments(site)
    await rm(join(wal(site), missing))
    const gap = await status(site)
    expect(gap).toMatchObject({ code: 5, gaps: [missing] })
    expect(gap.problems.join('\n')).toContain('netops backup --only database')

    const before = await segments(site)
    expect(await site.netops(['db', 'archive', 'remove', '--json'])).toMatchObject({ code: 0 })
    expect(await postgres.sql("SELECT 1 FROM pg_replication_slots WHERE slot_name = 'netops_wal'")).toEqual([])
    expect(await segments(site)).toEqual(before)
    expect(await readTextIfAny(site.paths.walPassfile)).toBeUndefined()
    expect((await status(site)).code).toBe(7)
  })

  it('is written through no link and into no folder of others, and takes all back where no log comes', async () => {
    const site = await siteFor()
    const elsewhere = join(site.folder, 'elsewhere')
    await mkdir(elsewhere)
    await mkdir(join(site.root, 'var'), { recursive: true })
    await mkdir(join(site.root, 'var', 'backups'))
    await chmod(join(site.root, 'var', 'backups'), 0o777)
    expect(await setUp(site)).toMatchObject({ code: 7 })
    await chmod(join(site.root, 'var', 'backups'), 0o755)
    await symlink(elsewhere, site.paths.backups)
    await chmod(elsewhere, 0o777)
    expect(await setUp(site)).toMatchObject({ code: 7 })
    expect(await readdir(elsewhere)).toEqual([])
    await rm(site.paths.backups)
    // Nothing receives: what stands in the place of the runtime folder keeps the supervisor from starting.
    await mkdir(dirname(site.paths.runtimeDir), { recursive: true })
    await writeFile(site.paths.runtimeDir, '')
    const failed = await setUp(site)
    expect(failed).toMatchObject({ code: 1 })
    expect(await postgres.sql("SELECT 1 FROM pg_replication_slots WHERE slot_name = 'netops_wal'")).toEqual([])
    expect(await listIfAny(wal(site))).toEqual([])
    expect(await readTextIfAny(site.paths.walUnit)).toBeUndefined()
    await rm(site.paths.runtimeDir)
  })

  it('is copied by the server itself where it is told so, and never over another segment', async () => {
    const site = await siteFor('user: postgres')
    await chmod(site.folder, 0o711)
    const called = await setUp(site, '--mode', 'archive_command')
    expect(called).toMatchObject({ code: 0 })
    await postgres.halt()
    await postgres.resume()
    await turn(7)
    await expect.poll(() => segments(site), { timeout: 30_000 }).not.toEqual([])
    await expect.poll(async () => (await status(site)).streaming, { timeout: 30_000 }).toBe(true)
    const [{ name } = { name: '' }] = await postgres.sql('SELECT pg_walfile_name(pg_current_wal_insert_lsn()) AS name')
    await writeFile(join(wal(site), String(name)), 'of somebody else')
    await turn(8)
    await expect
      .poll(async () => (await postgres.sql('SELECT failed_count::int AS n FROM pg_stat_archiver'))[0]?.n, {
        timeout: 30_000,
      })
      .toBeGreaterThan(0)
    expect(await readTextIfAny(join(wal(site), String(name)))).toBe('of somebody else')
    expect(await status(site)).toMatchObject({ code: 5, streaming: false })
    expect(await site.netops(['db', 'archive', 'remove'])).toMatchObject({ code: 0 })
    await postgres.sql('ALTER SYSTEM RESET ALL')
    await postgres.halt()
    await postgres.resume()
  })

  it('and a base backup bring a cluster back to a second between two transactions', async () => {
    const site = await siteFor()
    expect(await setUp(site, '--synchronous')).toMatchObject({ code: 0 })
    // Somebody writes all the time.
    let writing = true
    const writers = (async () => {
      for (let n = 1000; writing; n += 1)
        await postgres.sql(`INSERT INTO marks SELECT ${n} FROM generate_series(1, 500)`, 'network')
    })()
    const copies = join(site.folder, 'copies')
    await mkdir(copies, { mode: 0o700 })
    const backup = () =>
      exec([inject('builds').netops, 'runs', 'start', 'backup', '--root', site.root, '--json'], {
        stdin: { text: JSON.stringify({ only: 'database', offsite: { places: [copies], as: 'db1', recipients: [] } }) },
      })
    try {
      expect(await backup()).toMatchObject({ code: 0 })
    } finally {
      writing = false
      await writers
    }
    expect((await readdir(join(copies, 'db1'))).filter((name) => name.includes('database_'))).not.toEqual([])
    const [archive = ''] = (await listIfAny(site.paths.backups)).filter((name) =>
      /^database_\d{8}_\d{6}\.tar\.gz$/.test(name),
    )
    expect(archive).not.toBe('')

    await postgres.sql('INSERT INTO marks VALUES (-1)', 'network')
    await pause(1200)
    const between = new Date().toISOString().replace(/\.\d+Z$/, 'Z')
    await pause(1200)
    await postgres.sql('INSERT INTO marks VALUES (-2)', 'network')
    await turn(3)
    await until(site, ({ lag }) => lag?.bytes === 0)

    const place = await mkdtemp(join(tmpdir(), 'netops-restored-'))
    await exec(['chown', 'postgres', place])
    const into = join(place, 'cluster')
    const port = String(await freePort())
    const stopCluster = () =>
      exec(['runuser', '-u', 'postgres', '--', join(programs ?? '', 'pg_ctl'), '-D', into, 'stop', '-m', 'immediate'])
    onTestFinished(async () => {
      await stopCluster()
      await rm(place, { recursive: true })
    })
    const restore = (...words: readonly string[]) =>
      site.netops(['db', 'restore', '--json', '--to', into, '--port', port, ...words])
    const beyond = await restore('--target-time', '2099-01-01T00:00:00+01:00')
    expect(beyond).toMatchObject({ code: 7 })
    expect(beyond.stdout).toMatch(
      /the log does not reach to 2098-12-31T23:00:00.000Z: what can be restored from database_\w+ is from \S+ to before \S+/,
    )
    expect((await restore('--target-time', '2020-01-01T00:00:00Z')).stdout).toContain(
      'was made after the time that is wanted',
    )
    expect(await restore('--target-time', '2026-11-27 10:00:00')).toMatchObject({ code: 2 })
    expect(await restore('--target-time', between, '--dry-run')).toMatchObject({ code: 0 })
    expect(await readdir(place)).toEqual([])

    const restored = await restore('--target-time', between, '--promote')
    expect(restored).toMatchObject({
      code: 0,
      json: { hosts: [{ results: { restore: { state: 'promoted', into } } }] },
    })
    const { lastTransactionAt, stoppedBefore } = (
      restored.json.hosts?.[0] as unknown as { results: { restore: Record<string, string> } }
    ).results.restore
    expect(Date.parse(lastTransactionAt ?? '')).toBeLessThanOrEqual(Date.parse(between))
    expect(Date.parse(stoppedBefore ?? '')).toBeGreaterThan(Date.parse(between))
    const asked = (text: string) =>
      exec(['runuser', '-u', 'postgres', '--', 'psql', '-h', '127.0.0.1', '-p', port, 'network', '-Atc', text], {
        cwd: '/',
      })
    expect((await asked('SELECT n FROM marks WHERE n < 0')).stdout).toBe('-1\n')
    // Of what was written while the base backup was read, whole transactions are there.
    expect(
      (
        await asked(
          'SELECT bool_and(rows % 500 = 0) FROM (SELECT count(*) AS rows FROM marks WHERE n >= 1000 GROUP BY n) AS each',
        )
      ).stdout,
    ).toBe('t\n')
    expect((await asked('INSERT INTO marks VALUES (9) RETURNING n')).stdout).toBe('9\nINSERT 0 1\n')
    expect(await readdir(into)).not.toContain('netops_wal')
    // To be looked at first: it waits at the time, and takes no writes.
    expect(await stopCluster()).toMatchObject({ code: 0 })
    await rm(into, { recursive: true })
    expect(await restore('--target-time', between)).toMatchObject({
      code: 0,
      json: { hosts: [{ results: { restore: { state: 'paused' } } }] },
    })
    expect((await asked('SELECT n FROM marks WHERE n < 0')).stdout).toBe('-1\n')
    expect((await asked('INSERT INTO marks VALUES (9)')).stderr).toContain('read-only transaction')
    // Never over one that is there.
    expect((await restore('--promote')).stdout).toContain(
      'is there already, and a cluster is never restored over another',
    )

    // Of one that is damaged nothing comes, and nothing is left.
    const other = ['--to', join(place, 'other'), '--port', String(await freePort())]
    const file = join(site.paths.backups, archive)
    const bytes = await readFile(file)
    await writeFile(file, bytes.with(bytes.length >> 1, (bytes[bytes.length >> 1] ?? 0) ^ 4))
    expect(await site.netops(['db', 'restore', '--json', ...other])).toMatchObject({ code: 9 })
    await writeFile(file, bytes)
    // Nor of a segment in whose place somebody has put a link.
    const [segment = ''] = (await segments(site)).slice(-1)
    await rename(join(wal(site), segment), join(site.folder, segment))
    await symlink(join(site.folder, segment), join(wal(site), segment))
    expect((await site.netops(['db', 'restore', '--json', ...other])).stdout).toContain('ELOOP')
    await rename(join(site.folder, segment), join(wal(site), segment))
    expect(await readdir(place)).toEqual(['cluster'])

    // What comes before the oldest base backup is not needed any more.
    const before = await segments(site)
    expect(await site.netops(['db', 'archive', 'expire', '--json'])).toMatchObject({ code: 0 })
    const left = await segments(site)
    expect(left.length).toBeLessThan(before.length)
    expect(before.slice(-left.length)).toEqual(left)

    // Killed in the midst: no entry, and nothing of it is left after the next one.
    const entries = await listIfAny(site.paths.catalogue)
    const child = spawn(inject('builds').netops, ['runs', 'start', 'backup', '--root', site.root], {
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    child.stdin.end(JSON.stringify({ only: 'database' }))
    await expect
      .poll(async () => (await listIfAny(site.paths.backups)).filter((name) => name.startsWith('.making-')).length, {
        timeout: 30_000,
        interval: 5,
      })
      .toBe(1)
    child.kill('SIGKILL')
    await new Promise((resolve) => child.once('exit', resolve))
    expect(await listIfAny(site.paths.catalogue)).toEqual(entries)
    await pause(1100)
    expect(await backup()).toMatchObject({ code: 0 })
    expect(await listIfAny(site.paths.catalogue)).toHaveLength(entries.length + 1)
    expect((await listIfAny(site.paths.backups)).filter((name) => name.startsWith('.'))).toEqual([])
    expect(await postgres.sql("SELECT 1 FROM pg_replication_slots WHERE slot_name LIKE 'netops_backup%'")).toEqual([])
  })
})
