// What keeps a deployment from its places is found before anything is brought or stopped: something else that lies there, or a
// file system that lets nothing be started from it. And what results say is what is so.
import { mkdir, readdir, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { execText } from '../../src/system/exec.ts'
import { filesBelow, foreignRelease, makeSite, siteInService, smallRelease } from '../support/site.ts'

describe('something else in the way of a deployment', () => {
  test('is named with what it is, nothing is stopped or left, and status says what is so', async () => {
    const { site, release, pid } = await siteInService()
    const { paths } = site
    const next = await smallRelease(site, '1.1.0')
    const link = await readlink(paths.current)
    await rm(paths.current)
    await mkdir(paths.current)
    await writeFile(join(paths.current, 'theirs'), 'kept')
    const before = await filesBelow(paths.base)
    for (const words of [[], ['--dry-run'], []]) {
      const refused = await site.deploy(next, words)
      expect(refused).toMatchObject({ code: 7, json: { outcome: 'refused', error: { code: 'refused' } } })
      expect(refused.json.error?.message).toMatch(
        `${paths.current} is a folder, and a file or link is to take its place`,
      )
      expect(refused.json.error?.hint).toContain(`mv -- ${paths.current} ${paths.current}.before-netops`)
    }
    expect(await filesBelow(paths.base)).toEqual(before)
    expect({ pid: await site.mainPid(), answering: await site.answering() }).toEqual({ pid, answering: release.id })
    expect((await site.netops(['status'])).stdout).toMatch(
      `local: ${paths.current} is not a link to a release, service running`,
    )

    const others = [
      [paths.current, 'a file', 'a link of netops'],
      [paths.config, 'a folder', 'a file'],
      [paths.incoming, 'a file', 'a folder'],
      [paths.incoming, 'a link to nothing', 'a folder'],
    ] as const
    await rename(paths.current, join(site.folder, 'theirs'))
    for (const [path, is, wanted] of others) {
      const aside = join(site.folder, 'aside')
      await rename(path, aside).catch(() => undefined)
      if (is === 'a folder') await mkdir(path)
      else if (is === 'a file') await writeFile(path, '')
      else await symlink('nowhere', path)
      const refused = await site.deploy(next, ['--config', await site.config()])
      expect(refused).toMatchObject({ code: 7, json: { error: { code: 'refused' } } })
      expect(refused.json.error?.message).toContain(`${path} is ${is}, and ${wanted} belongs there`)
      await rm(path, { recursive: true })
      await rename(aside, path).catch(() => undefined)
    }
    expect({ pid: await site.mainPid(), answering: await site.answering() }).toEqual({ pid, answering: release.id })

    // Without its link the service still runs; a release that fails is followed by the one that was in service.
    const broken = await foreignRelease(site, 'broken', 'exit 1')
    expect(await site.deploy(broken)).toMatchObject({ code: 8, json: { outcome: 'rolled-back' } })
    expect(await site.answering()).toBe(release.id)
    expect(await readlink(paths.current)).toBe(link)
    expect((await filesBelow(paths.base)).filter((name) => name.includes('.netops-new'))).toEqual([])
    expect(await site.deploy(next)).toMatchObject({ code: 0 })
    expect(await site.answering()).toBe(next.id)
  })
})

// Mounting needs root.
describe.skipIf(process.getuid?.() !== 0)('a file system that is mounted noexec', () => {
  test('is refused before anything is brought, with how to change that', async () => {
    const around = await makeSite()
    const disk = join(around.folder, 'no exec')
    await mkdir(disk)
    await execText(['mount', '-t', 'tmpfs', '-o', 'noexec,size=500m', 'tmpfs', disk])
    onTestFinished(async () => {
      await execText(['umount', disk])
    })
    const site = await makeSite({ in: disk })
    const release = await smallRelease(site, '1.0.0')
    const config = await site.config()
    const before = await filesBelow(site.folder)
    for (const words of [['--dry-run'], []]) {
      const refused = await site.deploy(release, ['--config', config, ...words])
      expect(refused).toMatchObject({ code: 7, json: { outcome: 'refused' } })
      expect(refused.json.error?.message).toMatch(`${disk} is mounted noexec, and ${site.paths.base}/`)
      expect(refused.json.error?.hint).toContain(`mount -o remount,exec '${disk}'`)
    }
    expect(await filesBelow(site.folder)).toEqual(before)
  })
})

describe('a deployment that is taken back', () => {
  test('is told with the release that is in service then, and what was brought for it goes', async () => {
    const { site, release } = await siteInService()
    const next = await smallRelease(site, '1.1.0')
    const cut = await site.deploy(next, [], { NETOPS_FAULT: 'kill-after:done:switch' })
    expect(cut.code).not.toBe(0)
    const undone = await site.netops(['runs', 'undo', cut.json.run ?? ''])
    expect(undone).toMatchObject({ code: 0, stdout: `local: taken back, ${release.id} is in service\n` })
    expect(await site.answering()).toBe(release.id)
    expect(await readdir(site.paths.incoming)).toEqual([])
    const again = await site.netops(['runs', 'undo', cut.json.run ?? '', '--json'])
    expect(again).toMatchObject({ code: 0, json: { hosts: [{ host: 'local', release: release.id }] } })
  })
})
