// Folders that others have a say in, and things of others in folders of ours: what is written, and what is left alone.
import { chmod, mkdir, readlink, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, inject, test } from 'vitest'
import { exec, execText } from '../../src/system/exec.ts'
import { listIfAny, readTextIfAny } from '../../src/system/files.ts'
import { makeSite, siteInService, smallRelease, type Site } from '../support/site.ts'

/** Runs netops as somebody does whose shell takes no permission away. */
const withoutUmask = ({ root }: Site, ...words: readonly string[]) =>
  exec(['sh', '-c', 'umask 000; exec "$@"', 'sh', inject('builds').netops, ...words, '--root', root], {
    timeoutMs: 90_000,
  })

/** What others than its owner may write to. */
const open = async ({ root }: Site): Promise<string> =>
  execText(['find', root, '!', '-type', 'l', '-perm', '/022', '-printf', '%m %P\\n'])

describe('below a root', () => {
  test('nobody else may write to anything, whatever the umask is', async () => {
    const site = await makeSite()
    const release = await smallRelease(site, '1.0.0')
    const quick = ['--min-healthy-time', '300ms', '--healthy-deadline', '20s']
    const words = ['deploy', '--release', release.file, '--config', await site.config(), ...quick]
    expect(await withoutUmask(site, ...words)).toMatchObject({ code: 0 })
    expect(await open(site)).toBe('')
    expect(await withoutUmask(site, 'service', 'stop')).toMatchObject({ code: 0 })
    // As a reboot does with what lies in memory, and a person with old logs.
    for (const path of [site.paths.runtimeDir, site.paths.logDir]) await rm(path, { recursive: true })
    expect(await withoutUmask(site, 'service', 'start')).toMatchObject({ code: 0 })
    await expect.poll(() => site.answering(), { timeout: 20_000, interval: 20 }).toBe(release.id)
    expect(await open(site)).toBe('')
  })

  test('nothing is made where others may write', async () => {
    const site = await makeSite()
    await mkdir(site.root)
    await chmod(site.root, 0o777)
    const release = await smallRelease(site, '1.0.0')
    const refused = await site.deploy(release, ['--config', await site.config()])
    expect(refused).toMatchObject({ code: 7, json: { ok: false, error: { code: 'refused' } } })
    expect(refused.json.error?.message).toContain(`${site.root} may be written to by anybody`)
    expect(refused.json.error?.hint).toContain(`chmod go-w ${site.root}`)
    expect(await listIfAny(site.root)).toEqual([])
  })

  test('nothing is made where an access control list lets another account write', async () => {
    const { site } = await siteInService()
    const next = await smallRelease(site, '1.1.0')
    // The mode says 0775 from now on: no more than that a group of root's may write.
    await execText(['setfacl', '-m', 'u:nobody:rwx', site.paths.releases])
    const refused = await site.deploy(next)
    expect(refused).toMatchObject({ code: 7, json: { ok: false, error: { code: 'refused' } } })
    expect(refused.json.error?.message).toContain(`${site.paths.releases} has an access control list that lets others`)
    expect(refused.json.error?.hint).toContain(`setfacl -b ${site.paths.releases}`)
    await execText(['setfacl', '-b', site.paths.releases])
    await execText(['setfacl', '-m', 'u:nobody:rx', site.paths.releases])
    expect(await site.deploy(next, ['--min-healthy-time', '300ms'])).toMatchObject({ code: 0 })
  })

  test('nothing is run or removed that others may have put there', async () => {
    const { site } = await siteInService()
    const next = await smallRelease(site, '1.1.0')
    expect(await site.netops(['service', 'stop'])).toMatchObject({ code: 0 })
    await chmod(site.paths.releases, 0o777)
    const before = await execText(['find', site.root, '-type', 'f'])
    for (const words of [
      ['service', 'start'],
      ['deploy', '--release', next.file],
      ['gc', '--older-than', '0s'],
      ['tune', 'apply', '--profile', 'guide'],
    ]) {
      const { code, stderr } = await site.netops(words)
      expect([words[0], code]).toEqual([words[0], 7])
      expect(stderr).toContain(`${site.paths.releases} may be written to by anybody`)
    }
    expect(await site.answering()).toBeUndefined()
    expect(await execText(['find', site.root, '-type', 'f'])).toBe(before)
    await chmod(site.paths.releases, 0o755)
    expect(await site.netops(['service', 'start'])).toMatchObject({ code: 0 })
  })
})

test('a deployment leaves what it finds beside its releases, and names it', async () => {
  const { site, release } = await siteInService()
  const { releases } = site.paths
  await mkdir(join(releases, '0.9.0-0123456789ab'))
  await writeFile(join(releases, '0.9.0-0123456789ab', 'network_server'), 'theirs')
  await symlink(release.id, join(releases, 'stable'))
  const next = await smallRelease(site, '1.1.0')
  const done = await site.netops(['deploy', '--release', next.file, '--min-healthy-time', '300ms'])
  expect(done).toMatchObject({ code: 0 })
  expect(done.stdout + done.stderr).toContain('no record of netops names it: 0.9.0-0123456789ab, stable)')
  expect(await readTextIfAny(join(releases, '0.9.0-0123456789ab', 'network_server'))).toBe('theirs')
  expect(await readlink(join(releases, 'stable'))).toBe(release.id)
})
