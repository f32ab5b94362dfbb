// Ctrl-C once and twice during a deployment, and what can be done afterwards: resume, undo, clean up.
import { mkdir, symlink, utimes, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { describe, expect, inject, onTestFinished, test } from 'vitest'
import { runState } from '../../src/engine/journal.ts'
import { start } from '../../src/system/exec.ts'
import { listIfAny, readTextIfAny } from '../../src/system/files.ts'
import { until } from '../support/fleet.ts'
import { journalsOf, siteInService, smallRelease, type Release, type Site } from '../support/site.ts'

async function deployed(): Promise<{ site: Site; first: Release; next: Release }> {
  const { site, release } = await siteInService()
  return { site, first: release, next: await smallRelease(site, '1.1.0') }
}

/** Deploys in the background with a long time to be healthy; returns once the host waits for that. */
async function waiting(site: Site, release: Release) {
  const output = join(site.folder, 'operator.log')
  const words = ['deploy', '--root', site.root, '--release', release.file, '--min-healthy-time', '10s']
  const { pid, ended } = await start([inject('builds').netops, ...words], { output })
  let over = false
  void ended.then(() => (over = true))
  onTestFinished(() => {
    if (!over) process.kill(pid, 'SIGKILL')
  })
  const run = await until(async () => {
    for (const [name, records] of await journalsOf(site, 'torn')) {
      const told = records.some(
        (one) => one.type === 'relayed' && one.record.type === 'begin' && one.record.step === 'health',
      )
      if (told && runState(records).end === undefined) return name
    }
    return undefined
  })
  return { run, pid, ended, said: async () => (await readTextIfAny(output)) ?? '' }
}

describe('Ctrl-C during a deployment', () => {
  test('once: the host stops after its step, nobody else may come, and a resume finishes it', async () => {
    const { site, first, next } = await deployed()
    const { run, pid, ended, said } = await waiting(site, next)
    process.kill(pid, 'SIGINT')
    expect(await ended).toBe(130)
    expect(await said()).toContain('Ctrl-C again takes back what was done')
    expect(await said()).toContain(`Go on with: netops runs resume ${run} --root ${site.root}`)
    expect(await said()).toContain(`Or take it back: netops runs undo ${run} --root ${site.root}`)
    const listed = await site.netops(['runs', 'list', '--json'])
    expect((listed.json as { runs?: unknown }).runs).toContainEqual(expect.objectContaining({ run, outcome: 'parked' }))
    const status = await site.netops(['status', '--json'])
    expect(status.json.hosts).toMatchObject([{ unfinished: [{ run: `${run}.local` }] }])
    expect(await site.netops(['deploy', '--release', first.file])).toMatchObject({
      code: 6,
      stdout: expect.stringContaining(`runs undo ${run}.local`) as string,
    })
    expect((await site.netops(['lock', 'release'])).code).toBe(7)

    expect(await site.netops(['runs', 'resume', run, '--json'])).toMatchObject({ code: 0, json: { outcome: 'done' } })
    expect(await site.answering()).toBe(next.id)
    expect((await site.netops(['lock', 'status'])).stdout).toBe('local: free\n')
    const undo = await site.netops(['runs', 'undo', run])
    expect(undo).toMatchObject({ code: 7, stdout: expect.stringContaining('can only go forward since') as string })
    expect(await site.answering()).toBe(next.id)
  })

  test('twice: the release before is back and healthy, and the run has ended', async () => {
    const { site, first, next } = await deployed()
    const { run, pid, ended } = await waiting(site, next)
    // It counts as the second Ctrl-C. Two in a row may find that the run has stopped and ended after the first.
    process.kill(pid, 'SIGUSR2')
    expect(await ended).toBe(130)
    expect(await site.answering()).toBe(first.id)
    const records = (await journalsOf(site)).get(`${run}.local`) ?? []
    expect(records.at(-1)).toMatchObject({ type: 'end', undone: true, changed: false })
    expect((await site.netops(['lock', 'status'])).stdout).toBe('local: free\n')
    expect(await listIfAny(site.paths.releases)).toEqual([first.id])
  })

  test('once, and then undone by the name of the run: the release before is back', async () => {
    const { site, first, next } = await deployed()
    const { run, pid, ended } = await waiting(site, next)
    process.kill(pid, 'SIGINT')
    await ended
    const shown = await site.netops(['runs', 'undo', `${run}.local`, '--dry-run'])
    expect(shown.stdout).toMatch(/^undo: Verify|^undo: Start the service/)
    expect(await site.netops(['runs', 'undo', `${run}.local`])).toMatchObject({ code: 0 })
    expect(await site.answering()).toBe(first.id)
    expect((await site.netops(['lock', 'status'])).stdout).toBe('local: free\n')
  })
})

test('a terminal that goes away is a lost connection: the run is parked at once, the host finishes, a resume tells', async () => {
  const { site, next } = await deployed()
  const { run, pid, ended } = await waiting(site, next)
  const begun = performance.now()
  process.kill(pid, 'SIGHUP')
  expect(await ended).toBe(130)
  expect(performance.now() - begun).toBeLessThan(5000)
  expect((await journalsOf(site)).get(run)?.at(-1)).toMatchObject({ type: 'parked' })
  const own = await until(async () => {
    const last = (await journalsOf(site, 'torn')).get(`${run}.local`)?.at(-1)
    return (last?.type === 'end' || last?.type === 'parked') && last
  })
  expect(own).toMatchObject({ type: 'end', outcome: 'done' })
  expect(await site.netops(['runs', 'resume', run, '--json'])).toMatchObject({ code: 0, json: { outcome: 'done' } })
  expect(await site.answering()).toBe(next.id)
})

describe('netops gc', () => {
  test('removes what is over and what was left half written; open runs and their netops stay', async () => {
    const { site, next } = await deployed()
    const { run, pid, ended } = await waiting(site, next)
    process.kill(pid, 'SIGINT')
    await ended
    const litter = join(site.paths.configDir, '.config.yaml.netops-new')
    await writeFile(litter, 'half')
    const old = new Date(Date.now() - 2 * 86_400_000)
    await utimes(litter, old, old)
    const theirs = join(site.paths.configDir, '.theirs')
    await writeFile(theirs, 'not ours')
    await utimes(theirs, old, old)
    const unused = join(site.paths.netopsBuilds, '0123456789ab')
    await mkdir(unused)
    const foreign = [join(site.paths.netopsBuilds, 'abcdef012345'), join(site.paths.netopsBuilds, 'a-link')] as const
    await mkdir(foreign[0])
    await writeFile(join(foreign[0], 'netops'), 'not ours')
    await symlink(theirs, foreign[1])
    const words = ['gc', '--older-than', '0s', '--keep-runs', '0']
    // An open run has the host: nothing is cleaned up around it.
    expect((await site.netops(words)).code).toBe(6)
    expect(await site.netops(['runs', 'resume', run, '--json'])).toMatchObject({ code: 0 })

    const before = await listIfAny(site.paths.runs)
    const shown = await site.netops([...words, '--dry-run'])
    expect(shown.stdout).toContain(`rm -rf -- ${litter}`)
    expect(await listIfAny(site.paths.runs)).toEqual(before)
    const done = await site.netops([...words, '--json'])
    expect(done).toMatchObject({ code: 0, json: { hosts: [{ host: 'local', outcome: 'done' }] } })
    const left = await listIfAny(site.paths.runs)
    expect(left).toEqual([done.json.run, `${done.json.run ?? ''}.local`])
    expect(await readTextIfAny(litter)).toBeUndefined()
    expect(await readTextIfAny(theirs)).toBe('not ours')
    const builds = await listIfAny(site.paths.netopsBuilds)
    expect(builds).toEqual(expect.arrayContaining(foreign.map((path) => basename(path))))
    expect(builds).toHaveLength(3)
    expect(shown.stdout).toContain('(left, because no record of netops names it: a-link, abcdef012345)')
    expect(await site.answering()).toBe(next.id)
  })
})
