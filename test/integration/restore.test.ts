// netops restore by the real executables, below a root: after damage, with a state that is not healthy, of parts, elsewhere.
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readBackup } from '../../src/backups/catalogue.ts'
import { judgeLease } from '../../src/engine/lease-file.ts'
import { leasePath } from '../../src/model/paths.ts'
import { execText } from '../../src/system/exec.ts'
import { backUp, dataDirOf, putRecord, recordOf, siteWithRecords } from '../support/restores.ts'
import { closed, listening, treeOf, type Called, type Site } from '../support/site.ts'

const quick = ['--min-healthy-time', '300ms', '--healthy-deadline', '10s']
const restore = (site: Site, words: readonly string[] = [], env?: Readonly<Record<string, string>>): Promise<Called> =>
  site.netops(['restore', '--json', '--yes', ...quick, ...words], env)
const checkpoint = async (site: Site): Promise<void> => {
  expect(await site.netops(['checkpoint'])).toMatchObject({ code: 0 })
}
/** All that a restore has of its own, wherever it may be. */
const litterOf = async ({ root }: Site): Promise<readonly string[]> =>
  (await readdir(root, { recursive: true })).filter((name) =>
    /netops-restore|restore-swap|state\.db\.before|\.restoring/.test(name),
  )
/** The files of both, but for what the service writes whenever it runs. */
const configAndState = async (site: Site) => ({
  etc: await treeOf(site.paths.configDir),
  state: Object.fromEntries(
    Object.entries(await treeOf(dataDirOf(site), ['in-use.lock', 'control'])).filter(([name]) =>
      /checkpoint-|role/.test(name),
    ),
  ),
})
async function expectFree({ paths }: Site): Promise<void> {
  for (const name of ['release', 'backup'] as const) {
    expect((await judgeLease(leasePath(paths.lease, name)))?.standing ?? 'dead').toBe('dead')
  }
}

describe('netops restore', () => {
  test('brings back configuration, state and records after damage; what a dry run said is what is done', async () => {
    const { site, release } = await siteWithRecords()
    await putRecord(site, 'one', 'before')
    await checkpoint(site)
    const config = await readFile(site.paths.config, 'utf8')
    const id = await backUp(site)
    await putRecord(site, 'one', 'after')
    await putRecord(site, 'two', 'after')
    await checkpoint(site)
    await writeFile(site.paths.config, 'broken: [\n')
    await writeFile(join(site.paths.configDir, 'stray'), 'not in the backup')
    await rm(join(dataDirOf(site), 'checkpoints'), { recursive: true })

    const before = await treeOf(site.root, ['var/lib/netops', 'var/log', 'var/run', 'var/lib/network_system'])
    const shown = await restore(site, ['--dry-run'])
    expect(shown).toMatchObject({ code: 0 })
    const [look] = (shown.json as { backups?: readonly Readonly<Record<string, unknown>>[] }).backups ?? []
    expect(look).toMatchObject({
      id,
      look: {
        replaced: { count: 1, paths: ['/etc/network_system/config.yaml'] },
        removed: { count: 1, paths: ['/etc/network_system/stray'] },
        lost: { files: { count: 2 }, databaseWrittenAt: expect.any(String) as string },
      },
    })
    expect(await treeOf(site.root, ['var/lib/netops', 'var/log', 'var/run', 'var/lib/network_system'])).toEqual(before)

    const restored = await restore(site)
    expect(restored).toMatchObject({ code: 0, json: { outcome: 'done', hosts: [{ backup: id, release: release.id }] } })
    expect(await readFile(site.paths.config, 'utf8')).toBe(config)
    expect(existsSync(join(site.paths.configDir, 'stray'))).toBe(false)
    expect(await site.answering()).toBe(release.id)
    expect([await recordOf(site, 'one'), await recordOf(site, 'two')]).toEqual(['before', undefined])
    expect(await litterOf(site)).toEqual([])
    await expectFree(site)
    expect(await site.netops(['status', '--json'])).toMatchObject({ code: 0 })
  })
  test('puts back what was there where the restored configuration cannot be healthy; restores parts; unpacks elsewhere', async () => {
    const { site, release } = await siteWithRecords()
    const config = await readFile(site.paths.config, 'utf8')
    await putRecord(site, 'one', 'before')
    await checkpoint(site)
    const other = await listening(0)
    other.on('connection', (socket) => socket.destroy())
    const { port } = other.address() as AddressInfo
    await writeFile(site.paths.config, config.replace(`port: ${site.ports.server}\n`, `port: ${port}\n`))
    const unhealthy = await backUp(site)
    await writeFile(site.paths.config, config)
    await putRecord(site, 'one', 'now')
    await writeFile(join(site.paths.configDir, 'stray'), 'mine', { mode: 0o600 })

    const before = await configAndState(site)
    const failed = await restore(site)
    expect(failed).toMatchObject({ code: 8, json: { outcome: 'rolled-back' } })
    expect(failed.json.error?.message).toContain('not healthy')
    expect(await configAndState(site)).toEqual(before)
    expect(await site.answering()).toBe(release.id)
    expect(await recordOf(site, 'one')).toBe('now')
    expect(await litterOf(site)).toEqual([])
    await expectFree(site)
    await closed(other)

    // Parts of it: the state is as it was, whatever becomes of the configuration.
    const part = await restore(site, ['--only', '/etc/network_system/stray'])
    expect(part).toMatchObject({ code: 1, json: { error: { code: 'failed' } } })
    await writeFile(site.paths.config, config)
    const good = await backUp(site)
    await rm(join(site.paths.configDir, 'stray'))
    const only = await restore(site, [good, '--only', 'config'])
    expect(only).toMatchObject({ code: 0, json: { outcome: 'done' } })
    expect(await readFile(join(site.paths.configDir, 'stray'), 'utf8')).toBe('mine')
    expect(await recordOf(site, 'one')).toBe('now')

    const pid = await site.mainPid()
    const to = join(site.folder, 'unpacked')
    expect(await restore(site, [unhealthy, '--to', to])).toMatchObject({ code: 0 })
    expect(await readFile(join(to, 'etc/network_system/config.yaml'), 'utf8')).toContain(`port: ${port}\n`)
    expect(await restore(site, [unhealthy, '--to', to])).toMatchObject({ code: 7 })
    expect(await site.mainPid()).toBe(pid)

    // State alone: the record is again what it was, the configuration stays.
    const state = await restore(site, [unhealthy, '--only', 'state'])
    expect(state).toMatchObject({ code: 0, json: { outcome: 'done' } })
    expect(await recordOf(site, 'one')).toBe('before')
    expect(await readFile(site.paths.config, 'utf8')).toBe(config)
  })

  test('refuses before anything is touched', async () => {
    const { site } = await siteWithRecords()
    await putRecord(site, 'one', 'now')
    await checkpoint(site)
    const id = await backUp(site)
    const newer = await backUp(site, { dataSchema: 99 })
    await writeFile(join(site.paths.configDir, 'stray'), 'mine')
    const pid = await site.mainPid()
    const damaged = `var/backups/network_system/${id}.tar.gz`
    const before = await treeOf(site.root, ['var/lib', 'var/log', 'var/run', damaged])
    const refused = async (words: readonly string[], code: number, message: string): Promise<void> => {
      const called = await site.netops(['restore', '--json', ...quick, ...words])
      expect({ words, called }).toMatchObject({
        called: { code, json: { error: { message: expect.stringContaining(message) as string } } },
      })
    }
    await refused([id], 7, 'nobody is there to be asked')
    await refused([newer, '--yes'], 7, 'data schema 99')
    await refused(['config_20010101_000000', '--yes'], 1, 'there is no backup')
    await refused(['2001-01-01', '--yes'], 1, 'no backup')
    await refused(['yesterday', '--yes'], 2, 'expected the id of a backup')
    await refused([id, '--yes', '--only', '../etc'], 2, 'expected config, state or an absolute path')
    const archive = join(site.paths.backups, `${id}.tar.gz`)
    const bytes = await readFile(archive)
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1
    await writeFile(archive, bytes)
    await refused([id, '--yes', '--only', 'state'], 9, 'is damaged')
    expect(await treeOf(site.root, ['var/lib', 'var/log', 'var/run', damaged])).toEqual(before)
    expect(await site.mainPid()).toBe(pid)
    expect(await litterOf(site)).toEqual([])
    await expectFree(site)
  })

  test('a drill restores aside, compares, measures, and says what was missed', async () => {
    const { site } = await siteWithRecords()
    await putRecord(site, 'one', 'before')
    await checkpoint(site)
    const id = await backUp(site)
    await putRecord(site, 'two', 'after')
    const scratch = join(site.folder, 'scratch')
    await mkdir(scratch)
    const pid = await site.mainPid()
    const drill = (words: readonly string[] = []) =>
      site.netops(['backup', 'drill', '--json', '--scratch', scratch, ...words])
    const met = await drill()
    expect(met).toMatchObject({
      code: 0,
      json: {
        drills: [
          { backup: id, met: true, records: { checkpoint: 1, restored: 1 }, rto: { met: true, objective: 14_400 } },
        ],
      },
    })
    expect((await readBackup(site.paths.catalogue, id)).verified).toMatchObject({ how: 'restorable', share: 1 })
    const missed = await drill(['--rto', '1ms', '--rpo-state', '1ms'])
    expect(missed).toMatchObject({
      code: 5,
      json: {
        outcome: 'unhealthy',
        drills: [{ met: false, rto: { met: false }, rpo: { state: { met: false }, configuration: { met: true } } }],
      },
    })
    expect(await readdir(scratch)).toEqual([])
    expect([await site.mainPid(), await recordOf(site, 'two')]).toEqual([pid, 'after'])
    await expectFree(site)
  })

  test('on a bare host puts files in place, and a release that is deployed then has the records', async () => {
    const { site, release } = await siteWithRecords()
    await putRecord(site, 'one', 'before')
    await checkpoint(site)
    const id = await backUp(site)
    expect(await site.netops(['service', 'stop'])).toMatchObject({ code: 0 })
    const archives = join(site.folder, 'archives')
    await execText(['cp', '-a', site.paths.backups, archives])
    await rm(site.root, { recursive: true })
    await mkdir(site.root)

    const restored = await restore(site, ['--from', archives])
    expect(restored).toMatchObject({ code: 0, json: { hosts: [{ backup: id, release: null }] } })
    expect(await readFile(site.paths.config, 'utf8')).toContain('auth: none')
    expect(await litterOf(site)).toEqual([])
    expect(await site.deploy(release)).toMatchObject({ code: 0 })
    expect(await recordOf(site, 'one')).toBe('before')
  })
})
