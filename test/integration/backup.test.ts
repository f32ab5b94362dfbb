// Backups of a root: by the real commands, of a real server's state, under accidents.
import { randomBytes, randomInt } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type * as Sqlite from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest'
import { isGood, type BackupEntry } from '../../src/model/backup.ts'
import { hostPaths, type HostPaths } from '../../src/model/paths.ts'
import { exec, execText, start } from '../../src/system/exec.ts'
import { listIfAny } from '../../src/system/files.ts'
import { filesBelow, siteInService } from '../support/site.ts'

const endurance = process.env.NETOPS_ENDURANCE === '1'

interface Called {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  readonly json: {
    readonly hosts?: readonly Readonly<Record<string, unknown>>[]
    readonly error?: { readonly code: string; readonly message: string; readonly hint?: string }
  }
}

/** A root with a configuration and nothing deployed. */
interface Root {
  readonly root: string
  readonly paths: HostPaths
  netops(words: readonly string[]): Promise<Called>
  /** As a timer starts it: in one process, with the fields of a request. */
  run(procedure: string, fields?: Readonly<Record<string, unknown>>): Promise<Called>
  backups(): Promise<readonly BackupEntry[]>
}

async function call(argv: readonly string[], text = ''): Promise<Called> {
  const result = await exec([inject('builds').netops, ...argv, '--json'], { stdin: { text }, timeoutMs: 90_000 })
  return { ...result, json: JSON.parse(result.stdout) as Called['json'] }
}

const rootAt = (root: string): Root => ({
  root,
  paths: hostPaths(root),
  netops: (words) => call([...words, '--root', root]),
  run: (procedure, fields = {}) => call(['runs', 'start', procedure, '--root', root], JSON.stringify(fields)),
  async backups() {
    const { json } = await call(['backup', 'list', '--root', root])
    return (json.hosts?.[0]?.backups ?? []) as readonly BackupEntry[]
  },
})

let here: Root
/** What has to be done before all is removed. */
let unmount: readonly string[] | undefined
beforeEach(async () => {
  here = rootAt(join(await mkdtemp(join(tmpdir(), 'netops-backup-')), 'root'))
  const { configDir } = here.paths
  await mkdir(configDir, { recursive: true })
  await mkdir(join(here.root, 'etc/network'), { recursive: true })
  await writeFile(join(configDir, 'config.yaml'), 'server:\n  port: 8080\n')
  await writeFile(join(here.root, 'etc/network/server.key'), 'a key', { mode: 0o600 })
  for (let at = 0; at < 200; at += 1) await writeFile(join(configDir, `part-${at}.yaml`), randomBytes(2000))
  // What changed less than two seconds ago is never taken over (archive/walk.ts).
  await execText(['find', here.root, '-exec', 'touch', '-h', '-d', '2026-01-01', '{}', '+'])
})
afterEach(async () => {
  if (unmount !== undefined) await exec(unmount)
  unmount = undefined
  await rm(join(here.root, '..'), { recursive: true, force: true })
})

const archivePath = ({ folder, file }: Pick<BackupEntry, 'folder' | 'file'>): string => join(folder, file)

/** What is neither an archive of the catalogue nor an entry of it. */
async function litterOf({ paths }: Root): Promise<readonly string[]> {
  const entries = (await listIfAny(paths.catalogue)).filter((name) => !/^config_\d{8}_\d{6}\.json$/.test(name))
  const ids = (await listIfAny(paths.catalogue)).map((name) => name.replace(/\.json$/, ''))
  const files = (await listIfAny(paths.backups)).filter((name) => !ids.includes(name.replace(/\..*$/, '')))
  return [...entries, ...files]
}

async function flip(path: string, at: number): Promise<void> {
  const bytes = await readFile(path)
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
  await writeFile(path, bytes)
}

/** @returns 1 where the process was still there */
function killNow(pid: number): number {
  try {
    process.kill(pid, 'SIGKILL')
    return 1
  } catch {
    // It was quicker than the last one.
    return 0
  }
}

describe('a root with a server in service', () => {
  test('is backed up with its state as it is now, proven, and restored by tar alone', async () => {
    const { site, release } = await siteInService()
    const put = await fetch(`http://127.0.0.1:${site.ports.server}/v1/records/cities/oslo`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: '{"name":"Oslo"}',
    })
    const server = rootAt(site.root)
    const began = Date.now()
    const first = await server.netops(['backup'])
    expect(first).toMatchObject({ code: 0, json: { hosts: [{ host: 'local', outcome: 'done' }] } })
    const [entry] = await server.backups()
    expect(entry).toMatchObject({
      ...{ kind: 'config', release: release.id, dataSchema: 2, sameAs: null, damage: null },
      ...{ verified: { how: 'stored', share: 1 }, troubles: { unreadable: 0, vanished: 0, changed: 0, missing: 0 } },
    })
    expect(Date.parse(entry?.checkpoint?.takenAt ?? '')).toBeGreaterThanOrEqual(began - 1)
    const { folder = '', id = '' } = entry ?? {}
    expect((await stat(folder)).mode & 0o777).toBe(0o700)
    for (const name of await readdir(folder)) expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600)
    const into = join(site.folder, 'restored')
    await mkdir(into)
    await execText(['tar', '-xzf', archivePath({ folder, file: `${id}.tar.gz` }), '-C', into])
    const restored = await filesBelow(into)
    expect(restored).toContain('etc/network_system/config.yaml')
    expect(restored.filter((name) => /state\.db|socket|lock/.test(name))).toEqual([])
    const checkpoints = restored.filter((name) => name.endsWith('.db'))
    expect(checkpoints).toEqual([`var/lib/network_system/checkpoints/${entry?.checkpoint?.file}`])
    if (put.ok) {
      const { DatabaseSync } = createRequire(import.meta.url)('node:sqlite') as typeof Sqlite
      const db = new DatabaseSync(join(into, checkpoints[0] ?? ''), { readOnly: true })
      expect(db.prepare("SELECT count(*) AS n FROM records WHERE key = 'oslo'").get()).toEqual({ n: 1 })
      db.close()
    }
    expect(await server.netops(['backup', 'status'])).toMatchObject({ code: 0, json: { hosts: [{ behind: false }] } })
    // Without the server nothing can tell what its database holds now.
    await site.netops(['service', 'stop'])
    const without = await server.netops(['backup'])
    expect(without).toMatchObject({ code: 3, json: { hosts: [{ outcome: 'partly' }] } })
    expect(without.json.error?.message).toMatch(
      /the newest checkpoint is checkpoint-\S+, .* old, and it holds that one/,
    )
    expect(without.json.error?.hint).toContain('service start')
    expect(await server.backups()).toHaveLength(2)
    expect(await litterOf(server)).toEqual([])
    // A deployment before it can still be taken back: a backup has changed nothing of what is in service.
    const runs = (await site.netops(['runs', 'list', '--json'])).json as { runs?: readonly { run: string }[] }
    const deployment = runs.runs?.find(({ run }) => run.includes('deploy') && run.endsWith('.local'))
    expect((await site.netops(['runs', 'undo', deployment?.run ?? 'none'])).stderr).not.toMatch(
      /changed this host after/,
    )
  })
})

describe('what has not changed', () => {
  test('is the last archive under another name; what has is made anew, and compared with the disk', async () => {
    // What changed less than two seconds before a backup counts as changed in the next one too.
    await sleep(2100)
    expect(await here.netops(['backup'])).toMatchObject({ code: 0 })
    expect((await here.run('backup')).code).toBe(0)
    const [newest, oldest] = await here.backups()
    if (newest === undefined || oldest === undefined) throw new Error('there are not two')
    expect(newest).toMatchObject({ sameAs: oldest.id, verified: oldest.verified })
    expect((await stat(archivePath(newest))).ino).toBe((await stat(archivePath(oldest))).ino)
    expect(await here.netops(['backup', 'diff'])).toMatchObject({
      code: 0,
      json: { hosts: [{ counts: { added: 0, removed: 0, changed: 0 } }] },
    })
    await writeFile(join(here.paths.configDir, 'new.yaml'), 'new')
    await writeFile(join(here.paths.configDir, 'part-1.yaml'), 'changed')
    await rm(join(here.paths.configDir, 'part-2.yaml'))
    const { json } = await here.netops(['backup', 'diff', oldest.id])
    expect(json.hosts?.[0]).toMatchObject({ id: oldest.id, counts: { added: 1, removed: 1, changed: 2 } })
    expect((await here.run('backup')).code).toBe(0)
    expect((await here.backups())[0]).toMatchObject({ sameAs: null, entries: newest.entries })
    expect(await here.netops(['backup', 'verify', '--all'])).toMatchObject({ code: 0 })
  })
})

describe('damage', () => {
  test('is found, noted, counts for nothing, and does not spread', async () => {
    await here.run('backup')
    const [entry] = await here.backups()
    if (entry === undefined) throw new Error('there is none')
    await flip(archivePath(entry), 5000)
    const verified = await here.netops(['backup', 'verify'])
    expect(verified).toMatchObject({
      code: 9,
      json: { hosts: [{ outcome: 'damaged', results: { verify: { damaged: [{ id: entry.id }] } } }] },
    })
    expect((await here.backups())[0]?.damage?.what.length).toBeGreaterThan(0)
    expect(await here.netops(['backup', 'status'])).toMatchObject({ code: 5 })
    const next = await here.netops(['backup'])
    expect(next).toMatchObject({ code: 0 })
    expect(next.json.hosts?.[0]?.results).toMatchObject({ archive: { sameAs: null, slabs: { copied: 0 } } })
    expect(await here.run('backup-verify')).toMatchObject({ code: 0 })
    expect(await here.run('backup-verify', { which: 'all' })).toMatchObject({ code: 9 })
    // All of it read once more and found whole: then it is good again.
    await flip(archivePath(entry), 5000)
    expect(await here.run('backup-verify', { which: [entry.id] })).toMatchObject({ code: 0 })
    expect((await here.backups()).map(({ damage }) => damage)).toEqual([null, null])
  })

  test('is an archive that is missing or cut off, a manifest that is another, an entry that cannot be read', async () => {
    await here.run('backup')
    const [entry] = await here.backups()
    if (entry === undefined) throw new Error('there is none')
    const archive = archivePath(entry)
    const bytes = await readFile(archive)
    await rm(archive)
    expect((await here.run('backup-verify')).code).toBe(9)
    await writeFile(archive, bytes)
    await truncate(archive, bytes.length - 1)
    const cut = await here.netops(['backup', 'verify', '--sample', '50%'])
    expect(cut).toMatchObject({ code: 9 })
    await writeFile(archive, bytes)
    // A part that is whole does not make good what was found in all of it.
    expect((await here.run('backup-verify', { share: 0.5 })).code).toBe(9)
    expect((await here.run('backup-verify')).code).toBe(0)
    await writeFile(join(here.paths.catalogue, 'config_20200101_000000.json'), '{}')
    expect(await here.netops(['backup', 'list'])).toMatchObject({ code: 9 })
    expect(await here.run('backup-verify', { which: 'all' })).toMatchObject({ code: 9 })
    expect(await here.run('backup-verify', { which: [entry.id] })).toMatchObject({ code: 0 })
    await rm(join(here.paths.catalogue, `${entry.id}.json`))
    expect(await here.netops(['backup', 'show', entry.id])).toMatchObject({ code: 1 })
  })
})

test.runIf(process.getuid?.() === 0)('a file that cannot be read is named, and all else is there', async () => {
  const closed = join(here.paths.configDir, 'part-7.yaml')
  await execText(['chown', '64000', closed])
  await execText(['chmod', '600', closed])
  // capabilities(7): root that may not read what is another's.
  const bound = ['setpriv', '--bounding-set', '-dac_override,-dac_read_search']
  const argv = [...bound, inject('builds').netops, 'runs', 'start', 'backup', '--root', here.root, '--json']
  const { code, stdout } = await exec(argv)
  expect(code).toBe(3)
  expect((JSON.parse(stdout) as Called['json']).error?.message).toContain('part-7.yaml: unreadable')
  const [entry] = await here.backups()
  expect(entry).toMatchObject({ troubles: { unreadable: 1 }, verified: { share: 1 }, entries: 203 })
  const shown = await here.netops(['backup', 'show'])
  expect(shown.json.hosts?.[0]?.troubles).toEqual([expect.stringContaining('part-7.yaml: unreadable')])
})

test('before there is any backup, its status is behind', async () => {
  const { code, json } = await here.netops(['backup', 'status'])
  expect({ code, behind: json.hosts?.[0]?.behind }).toEqual({ code: 5, behind: true })
  expect(await here.run('backup-verify')).toMatchObject({ code: 1 })
  expect(await here.netops(['backup', 'list'])).toMatchObject({ code: 0, json: { hosts: [{ backups: [] }] } })
})

test('what no rule keeps goes, but never the last good one, and by a dry run nothing', async () => {
  for (let at = 0; at < 3; at += 1) await here.run('backup')
  const ids = (await here.backups()).map(({ id }) => id)
  expect(ids).toHaveLength(3)
  const keep = { withinMs: 0, last: 0, hourly: 0, daily: 0, weekly: 0, monthly: 0 }
  expect(await here.netops(['backup', 'expire', '--dry-run'])).toMatchObject({
    json: { hosts: [{ backups: [{ kept: true }, { kept: true }, { kept: true }] }] },
  })
  expect(await here.run('backup-expire', { keep })).toMatchObject({ code: 0 })
  expect((await here.backups()).map(({ id }) => id)).toEqual(ids.slice(0, 1))
  expect(await litterOf(here)).toEqual([])
})

test('figures are written for node_exporter, and said where they cannot be', async () => {
  await mkdir(join(here.root, 'metrics'))
  expect(await here.run('backup', { textfile: '/metrics' })).toMatchObject({ code: 0 })
  const text = await readFile(join(here.root, 'metrics/netops_backup.prom'), 'utf8')
  expect(text).toMatch(/^netops_backup_last_success_timestamp_seconds\{kind="config"\} \d+(\.\d+)?$/m)
  expect(text).toMatch(/^netops_backups_damaged\{kind="config"\} 0$/m)
  const checked = await exec(['promtool', 'check', 'metrics'], { stdin: { text } })
  expect(checked).toMatchObject({ code: 0 })
  const said = await here.run('backup', { textfile: '/nowhere' })
  expect(said).toMatchObject({ code: 3, json: { error: { code: 'partly' } } })
  expect(said.json.error?.message).toContain('figures for node_exporter')
})

test('of two at once one waits for nobody: it is told who has the lease', async () => {
  const both = await Promise.all([here.run('backup'), here.run('backup')])
  const codes = both.map(({ code }) => code).toSorted()
  // Where the first had ended before the second began, both were made.
  expect([
    [0, 0],
    [0, 6],
  ]).toContainEqual(codes)
  expect(await here.backups()).toHaveLength(codes.filter((code) => code === 0).length)
  expect(await here.netops(['lock', 'status'])).toMatchObject({ code: 0 })
  expect(await litterOf(here)).toEqual([])
})

describe('a full disk', () => {
  test('is refused before anything is written, and what is there can still be removed', async () => {
    const { backups } = here.paths
    await mkdir(backups, { recursive: true, mode: 0o700 })
    await execText(['mount', '-t', 'tmpfs', '-o', 'size=72m,mode=0700', 'netops-test', backups])
    unmount = ['umount', backups]
    expect(await here.run('backup')).toMatchObject({ code: 0 })
    await writeFile(join(here.paths.configDir, 'large'), randomBytes(20_000_000))
    const refused = await here.run('backup')
    expect(refused).toMatchObject({ code: 1 })
    expect(refused.json.error?.message).toMatch(/are free below .* are needed/)
    expect(refused.json.error?.hint).toContain('netops backup expire')
    expect(await here.backups()).toHaveLength(1)
    expect(await litterOf(here)).toEqual([])
    await writeFile(join(backups, 'of-somebody-else'), randomBytes(70_000_000))
    expect(await here.run('backup-verify')).toMatchObject({ code: 0 })
    await rm(join(here.paths.configDir, 'large'))
    const keep = { withinMs: 0, last: 0, hourly: 0, daily: 0, weekly: 0, monthly: 0 }
    expect(await here.run('backup-expire', { keep })).toMatchObject({ code: 0 })
    expect(await here.backups()).toHaveLength(1)
  })
})

test('a folder that others may write to is refused', async () => {
  const { backups } = here.paths
  await mkdir(backups, { recursive: true })
  await execText(['chmod', '777', backups])
  const { code, json } = await here.run('backup')
  expect({ code, outcome: json.error?.code }).toEqual({ code: 7, outcome: 'refused' })
  expect(await here.backups()).toEqual([])
})

const killing = { timeout: endurance ? 3_600_000 : 120_000 }

test('whoever is killed at any moment leaves nothing in the way of the next', killing, async () => {
  const keep = { withinMs: 0, last: 2, hourly: 0, daily: 0, weekly: 0, monthly: 0 }
  const victims = [
    ['backup', {}],
    ['backup-verify', { which: 'all' }],
    ['backup-expire', { keep }],
  ] as const
  const argv = [inject('builds').netops, 'runs', 'start']
  const began = performance.now()
  expect(await here.run('backup')).toMatchObject({ code: 0 })
  const tookMs = performance.now() - began
  const seed = Number(process.env.NETOPS_SEED ?? randomInt(2 ** 31))
  console.log(`NETOPS_SEED=${seed}`)
  const kills = endurance ? 200 : 6
  let killed = 0
  for (let kill = 0; kill < kills; kill += 1) {
    // New data each time, so that there is something to be made.
    await writeFile(join(here.paths.configDir, 'part-0.yaml'), randomBytes(500_000))
    const [procedure, fields] = victims[kill % victims.length] ?? victims[0]
    const after = tookMs * ((kill + ((seed / (kill + 1)) % 1)) / kills)
    const place = { seed, kill, procedure, after }
    const request = join(here.root, 'request.json')
    await writeFile(request, JSON.stringify(fields))
    // The shell becomes netops: what is killed is netops itself.
    const shell = ['sh', '-c', 'exec "$@" < "$0"', request, ...argv, procedure, '--root', here.root]
    const child = await start(shell, { output: join(here.root, 'output.log') })
    await new Promise((resolve) => setTimeout(resolve, after))
    killed += killNow(child.pid)
    await child.ended
    const next = await here.run('backup')
    expect({ ...place, code: next.code, said: next.stdout }).toMatchObject({ code: 0 })
    const verified = await here.run('backup-verify', { which: 'all' })
    expect({ ...place, code: verified.code, said: verified.stdout }).toMatchObject({ code: 0 })
    expect({ ...place, litter: await litterOf(here) }).toEqual({ ...place, litter: [] })
    expect({ ...place, open: await listIfAny(here.paths.open) }).toEqual({ ...place, open: [] })
    expect((await readdir(here.paths.state)).filter((name) => name.startsWith('lease'))).toEqual([])
    expect((await here.backups()).every(isGood)).toBe(true)
  }
  expect(killed).toBeGreaterThan(0)
})
