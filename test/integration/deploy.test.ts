// Deployment and rollback as a user does them, below a root folder: what comes into service, and what a failure leaves behind.
import { spawn } from 'node:child_process'
import { appendFile, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { describe, expect, inject, onTestFinished, test } from 'vitest'
import { systemCode } from '../../src/model/errors.ts'
import { stepsOf } from '../../src/model/plan.ts'
import { exec, execText } from '../../src/system/exec.ts'
import { identify } from '../../src/system/processes.ts'
import { brokenProgram, brokenPrograms, strangePrograms } from '../support/broken-programs.ts'
import {
  builtRelease,
  closed,
  filesBelow,
  foreignRelease,
  journalsOf,
  listening,
  makeSite,
  processesBelow,
  siteInService,
  smallRelease,
  supervisorOf,
  treeOf,
  type Called,
  type Release,
  type Site,
} from '../support/site.ts'

async function mustRun(site: Site): Promise<number> {
  const pid = await site.mainPid()
  if (pid === undefined) throw new Error('the service does not run')
  return pid
}

const restartsOf = async (site: Site): Promise<number> => {
  const service = (await site.netops(['status', '--json'])).json.hosts?.[0]?.service as { readonly restarts: number }
  return service.restarts
}

const currentOf = async ({ paths }: Site): Promise<string> => basename(await readlink(paths.current))

/** What must be as it was after something that was refused or taken back. */
const stateOf = async (site: Site) => ({
  current: await currentOf(site),
  config: await readFile(site.paths.config, 'utf8'),
  answering: await site.answering(),
  releases: (await filesBelow(site.paths.releases)).join(' '),
})

const failing = { crash: 'exit 1', silence: 'exec sleep 600' }

describe('a deployment', () => {
  test('brings the first release into service and replaces it by the second', async () => {
    const site = await makeSite()
    const { server1, server2 } = inject('builds')
    const [one, two] = [await builtRelease(server1, '1.0.0'), await builtRelease(server2, '1.1.0')]
    const first = await site.deploy(one, ['--config', await site.config()])
    expect(first).toMatchObject({
      code: 0,
      json: { outcome: 'done', hosts: [{ host: 'local', outcome: 'done', exit: 0, changed: true, release: one.id }] },
    })
    expect(await site.ask('/health/ready')).toMatchObject({ status: 200, headers: { 'x-release': one.id } })
    expect(JSON.parse((await site.ask('/health')).body)).toMatchObject({ healthy: true, status: 'healthy' })
    const pid = await mustRun(site)

    const second = await site.deploy(two)
    expect(second).toMatchObject({ code: 0, json: { hosts: [{ changed: true, release: two.id }] } })
    expect(await site.answering()).toBe(two.id)
    expect(await currentOf(site)).toBe(two.id)
    expect(await readlink(site.paths.serverLink)).toBe(join(site.paths.current, 'network_server'))
    expect(await mustRun(site)).not.toBe(pid)
    expect((await processesBelow(site.root)).map(({ pid: each }) => each)).not.toContain(pid)
    const { json } = await site.netops(['status', '--json'])
    expect(json.hosts?.[0]).toMatchObject({
      release: two.id,
      configDrift: false,
      service: { state: 'running', restarts: 0 },
      health: { healthy: true, ready: true, release: two.id },
      unfinished: [],
    })
    expect((await site.netops(['health', '--json'])).code).toBe(0)
  })

  test('of what is in service already changes nothing', async () => {
    const { site, release, pid } = await siteInService()
    const before = await treeOf(site.root, ownWriting)
    const again = await site.deploy(release, ['--config', await site.config()])
    expect(again).toMatchObject({ code: 0, json: { ok: true, hosts: [{ outcome: 'done', changed: false }] } })
    expect(await site.mainPid()).toBe(pid)
    expect(await treeOf(site.root, ownWriting)).toEqual(before)
  })

  test('of another configuration alone restarts the same release with it', async () => {
    const { site, release, pid } = await siteInService()
    const other = await site.config('other.yaml', 321)
    expect(await site.deploy(release, ['--config', other])).toMatchObject({
      code: 0,
      json: { hosts: [{ changed: true }] },
    })
    expect(await readFile(site.paths.config)).toEqual(await readFile(other))
    expect(await mustRun(site)).not.toBe(pid)
    expect(await site.answering()).toBe(release.id)
  })

  test.each(Object.keys(failing) as (keyof typeof failing)[])(
    'that fails by %s puts release and configuration back, both as before',
    async (how) => {
      const { site } = await siteInService()
      const before = await stateOf(site)
      const bad = await foreignRelease(site, 'bad', failing[how])
      const changed = await site.config('changed.yaml', 77)
      const words = ['--config', changed, '--healthy-deadline', how === 'silence' ? '5s' : '20s']
      const failed = await site.deploy(bad, words)
      expect(failed).toMatchObject({
        code: 8,
        json: { outcome: 'rolled-back', hosts: [{ outcome: 'rolled-back', exit: 8, changed: false }] },
      })
      expect(await stateOf(site)).toEqual(before)
      const status = await site.netops(['status', '--json'])
      expect(status.json.hosts?.[0]).toMatchObject({ configDrift: false, health: { healthy: true }, unfinished: [] })
      expect(await filesBelow(site.paths.incoming)).toEqual([])
    },
  )

  test.each(Object.keys(failing) as (keyof typeof failing)[])(
    'that is the first and fails by %s leaves nothing but logs and what is of netops',
    async (how) => {
      const site = await makeSite()
      const bad = await foreignRelease(site, 'bad', failing[how])
      const failed = await site.deploy(bad, ['--config', await site.config(), '--healthy-deadline', '3s'])
      expect(failed).toMatchObject({ code: 1, json: { outcome: 'failed', hosts: [{ exit: 1, changed: false }] } })
      const ours = /^(var\/log\/network\/|var\/lib\/netops\/|opt\/network_system\/netops\/)/
      expect((await filesBelow(site.root)).filter((file) => !ours.test(file))).toEqual([])
      await expect(stat(site.paths.releases)).rejects.toMatchObject({ code: 'ENOENT' })
      expect(await processesBelow(site.root)).toEqual([])
      const status = await site.netops(['status', '--json'])
      expect(status.json.hosts?.[0]).toMatchObject({ service: { state: 'absent' }, health: { status: 'not deployed' } })
    },
  )

  test('with a configuration that is not valid is refused with file, line and column, and touches nothing', async () => {
    const { site, release, pid } = await siteInService()
    const before = await treeOf(site.root, logs)
    const config = await site.config('invalid.yaml')
    await writeFile(config, (await readFile(config, 'utf8')).replace(/port: \d+/, 'port: 99999'))
    const refused = await site.netops(['deploy', '--release', release.file, '--config', config])
    expect(refused.code).toBe(2)
    expect(refused.stderr).toContain(`${config}:3:9`)
    expect(await site.deploy(release, ['--config', config])).toMatchObject({
      code: 2,
      json: { error: { code: 'usage' } },
    })
    expect(await site.mainPid()).toBe(pid)
    expect(await treeOf(site.root, logs)).toEqual(before)
  })

  test('whose release itself refuses the configuration stops nothing', async () => {
    const { site, pid } = await siteInService()
    const before = await stateOf(site)
    const strict = await smallRelease(
      site,
      '3.0.0',
      'case "$*" in *--check-config*) echo too strict >&2; exit 2;; esac',
    )
    const refused = await site.deploy(strict)
    expect(refused).toMatchObject({ code: 2, json: { outcome: 'usage' } })
    expect(JSON.stringify(refused.json)).toContain('too strict')
    expect(await site.mainPid()).toBe(pid)
    expect(await stateOf(site)).toEqual(before)
  })

  test('of an executable that is not what its manifest describes is refused as damaged', async () => {
    const { site, pid } = await siteInService()
    const before = await treeOf(site.root, logs)
    const damaged = await smallRelease(site, '1.1.0')
    await appendFile(damaged.file, '\n')
    expect(await site.deploy(damaged)).toMatchObject({ code: 9, json: { error: { code: 'damaged' } } })
    expect(await site.mainPid()).toBe(pid)
    expect(await treeOf(site.root, logs)).toEqual(before)
  })

  test('to a port on which something else listens is refused and changes nothing', async () => {
    const { site, release, pid } = await siteInService()
    const elsewhere = await makeSite()
    const other = await listening(elsewhere.ports.server)
    onTestFinished(async () => {
      await closed(other)
    })
    const before = await treeOf(site.root, logs)
    const refused = await site.deploy(release, ['--config', await elsewhere.config()])
    expect(refused).toMatchObject({ code: 7, json: { error: { code: 'refused' } } })
    expect(refused.json.error?.message).toContain(String(elsewhere.ports.server))
    expect(await site.mainPid()).toBe(pid)
    expect(await treeOf(site.root, logs)).toEqual(before)
  })

  test('beside another one: one wins, the other is told which run is at work', async () => {
    const { site } = await siteInService()
    const rivals = [await smallRelease(site, '1.1.0'), await smallRelease(site, '1.2.0')]
    const results = await Promise.all(rivals.map((release) => site.deploy(release)))
    expect(results.map(({ code }) => code).sort()).toEqual([0, 6])
    const won = results.findIndex(({ code }) => code === 0)
    const lost = results[1 - won]
    expect(lost?.json).toMatchObject({ outcome: 'locked', error: { code: 'locked' } })
    expect(lost?.json.error?.message).toContain(results[won]?.json.run)
    expect(await stateOf(site)).toMatchObject({ current: rivals[won]?.id, answering: rivals[won]?.id })
    expect((await site.netops(['status', '--json'])).json.hosts?.[0]).toMatchObject({ unfinished: [] })
    expect(await site.deploy(rivals[1 - won] ?? fail())).toMatchObject({ code: 0 })
  })

  test('that is the first, beside another first one: one wins, the other is told so and has broken nothing', async () => {
    const site = await makeSite()
    const [release, config] = [await smallRelease(site, '1.0.0'), await site.config()]
    const results = await Promise.all([1, 2].map(() => site.deploy(release, ['--config', config])))
    expect(results.map(({ code }) => code).sort()).toEqual([0, 6])
    expect(await stateOf(site)).toMatchObject({ current: release.id, answering: release.id })
    expect((await site.netops(['status', '--json'])).json.hosts?.[0]).toMatchObject({ unfinished: [] })
  })
})

/** What runs write of themselves, and what the service writes while it runs. */
const logs = ['var/log', 'var/lib/network_system']
const ownWriting = [...logs, 'var/lib/netops']
const fail = (): never => {
  throw new Error('no such rival')
}

describe('a rollback', () => {
  test('brings back the release with its configuration, and says when there is nothing earlier', async () => {
    const { site, release } = await siteInService()
    const before = await stateOf(site)
    const next = await smallRelease(site, '1.1.0')
    expect((await site.deploy(next, ['--config', await site.config('next.yaml', 222)])).code).toBe(0)
    const after = await stateOf(site)

    const back = await rollback(site)
    expect(back).toMatchObject({
      code: 0,
      json: { command: 'rollback', hosts: [{ changed: true, release: release.id }] },
    })
    expect(await stateOf(site)).toEqual({ ...before, releases: after.releases })

    const pid = await site.mainPid()
    const again = await rollback(site)
    expect(again).toMatchObject({ code: 7, json: { error: { code: 'refused' } } })
    expect(again.json.error?.message).toContain('no earlier release')
    expect(await site.mainPid()).toBe(pid)

    expect(await rollback(site, '--to', '1.1.0')).toMatchObject({ code: 0, json: { hosts: [{ release: next.id }] } })
    expect(await stateOf(site)).toEqual(after)
    expect(await rollback(site, '--to', '7.7.7')).toMatchObject({
      code: 7,
      json: { error: { hint: `kept here: ${release.id}; choose one with --to` } },
    })

    // A release that somebody removed is not offered, least of all as the way out of its being gone.
    await rm(join(site.root, 'opt/network_system/releases', release.id), { recursive: true })
    for (const words of [[], ['--to', '1.0.0'], ['--to', '7.7.7']]) {
      const gone = await rollback(site, ...words)
      expect([words, gone.code, gone.json.error?.hint]).toEqual([
        words,
        7,
        expect.stringMatching(/^deploy (it again|another release): netops deploy --release FILE$/),
      ])
    }
  })
})

const rollback = (site: Site, ...words: string[]): Promise<Called> =>
  site.netops(['rollback', '--json', '--min-healthy-time', '500ms', '--healthy-deadline', '20s', ...words])

describe('the service', () => {
  test('is started again when it crashes', async () => {
    const { site, release, pid } = await siteInService()
    process.kill(pid, 'SIGKILL')
    await expect.poll(() => site.mainPid(), { timeout: 20_000 }).not.toBe(pid)
    await expect.poll(() => site.answering(), { timeout: 20_000 }).toBe(release.id)
    expect((await site.netops(['status', '--json'])).json.hosts?.[0]).toMatchObject({ service: { restarts: 1 } })
  })

  test('whose supervisor was killed is replaced by the next deployment', async () => {
    const { site, pid } = await siteInService()
    process.kill((await supervisorOf(site.paths))?.supervisor.pid ?? NaN, 'SIGKILL')
    const next = await smallRelease(site, '1.1.0')
    expect(await site.deploy(next)).toMatchObject({ code: 0 })
    expect(await site.answering()).toBe(next.id)
    expect((await processesBelow(site.root)).map(({ pid: each }) => each)).not.toContain(pid)
  })

  test('is stopped and started by hand', async () => {
    const { site, release, pid } = await siteInService()
    expect((await site.netops(['service', 'stop'])).code).toBe(0)
    expect(await processesBelow(site.root)).toEqual([])
    expect((await site.netops(['health', '--json'])).code).toBe(5)
    expect((await site.netops(['service', 'start'])).code).toBe(0)
    await expect.poll(() => site.answering(), { timeout: 20_000 }).toBe(release.id)
    expect(await mustRun(site)).not.toBe(pid)
  })

  test('is not deployed, says status, where nothing was ever deployed; and nothing is made by asking', async () => {
    const site = await makeSite()
    const { code, json } = await site.netops(['status', '--json'])
    expect(code).toBe(0)
    expect(json.hosts).toMatchObject([
      { host: 'local', service: { state: 'absent' }, health: { status: 'not deployed' } },
    ])
    expect((await site.netops(['status'])).stdout).toBe('local: not deployed, service absent, not deployed\n')
    await expect(stat(site.root)).rejects.toMatchObject({ code: 'ENOENT' })
  })
})

describe('the supervisor of a root', () => {
  test('is one, however many starts come at the same time, and a stop leaves nothing', async () => {
    const { site, release } = await siteInService()
    expect((await site.netops(['service', 'stop'])).code).toBe(0)
    const start = () => exec([site.paths.netopsLink, 'host', 'service', 'start', '--root', site.root])
    const started = await Promise.all([start(), start(), start(), start()])
    expect(started.map(({ code, stderr }) => ({ code, stderr }))).toEqual(Array(4).fill({ code: 0, stderr: '' }))
    await expect.poll(() => site.answering(), { timeout: 20_000 }).toBe(release.id)
    const running = async (word: string) =>
      (await processesBelow(site.root)).filter(({ command }) => command.includes(word))
    // Those that came second leave by themselves.
    await expect.poll(() => running('host supervise'), { timeout: 10_000 }).toHaveLength(1)
    expect(await running('--config')).toHaveLength(1)
    expect((await site.netops(['service', 'stop'])).code).toBe(0)
    expect(await processesBelow(site.root)).toEqual([])
    expect(await filesBelow(site.paths.runtimeDir)).toEqual([])
  })

  test('that was killed is missed by status and health, and a start puts a new one in its place', async () => {
    const { site, release, pid } = await siteInService()
    const killed = (await supervisorOf(site.paths))?.supervisor.pid ?? NaN
    process.kill(killed, 'SIGKILL')
    await expect.poll(() => identify(killed), { timeout: 20_000 }).toBeUndefined()
    const status = await site.netops(['status'])
    expect(status.stdout).toContain('unsupervised: its supervisor is gone')
    expect(status.stdout).toContain(`netops service start --root ${site.root}`)
    expect(await site.netops(['health', '--json'])).toMatchObject({
      code: 5,
      json: { hosts: [{ healthy: true, unsupervised: true }] },
    })
    expect((await site.netops(['service', 'start'])).code).toBe(0)
    expect(await identify(pid)).toBeUndefined()
    await expect.poll(() => site.answering(), { timeout: 20_000 }).toBe(release.id)
    expect((await site.netops(['health', '--json'])).code).toBe(0)
    // Also by a deployment that has nothing else to do.
    process.kill((await supervisorOf(site.paths))?.supervisor.pid ?? NaN, 'SIGKILL')
    expect(await site.deploy(release)).toMatchObject({ code: 0, json: { hosts: [{ changed: true }] } })
    expect((await site.netops(['health', '--json'])).code).toBe(0)
  })

  test('of which an earlier netops left several is ended whole by a stop', async () => {
    const { site } = await siteInService()
    // Each of them a session of its own, with a server of its own that no file names.
    const stray = join(site.folder, 'stray')
    await writeFile(
      stray,
      `#!/bin/sh\nsh -c 'sleep 600; exit' network_server --config ${site.paths.config} --root ${site.root} &\nwait\n`,
      { mode: 0o755 },
    )
    const strays = [1, 2, 3].map(() =>
      spawn(stray, ['host', 'supervise', '--root', site.root], { detached: true, stdio: 'ignore' }),
    )
    await expect.poll(async () => (await processesBelow(site.root)).length, { timeout: 20_000 }).toBe(8)
    expect((await site.netops(['service', 'stop'])).code).toBe(0)
    expect(await processesBelow(site.root)).toEqual([])
    expect(strays.map(({ pid }) => pid)).not.toContain(undefined)
  })

  test('restarts a service that ended well though nobody asked, and goes on through signals that ask for nothing', async () => {
    const { site, release, pid } = await siteInService()
    const supervisor = (await supervisorOf(site.paths))?.supervisor.pid ?? NaN
    for (const signal of ['SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const) process.kill(supervisor, signal)
    process.kill(pid, 'SIGTERM')
    await expect.poll(() => site.mainPid(), { timeout: 20_000 }).not.toBe(pid)
    await expect.poll(() => site.answering(), { timeout: 20_000 }).toBe(release.id)
    expect((await supervisorOf(site.paths))?.supervisor.pid).toBe(supervisor)
  })

  test('counts crashes from the beginning of a deployment: what has recovered long ago is no reason to fail', async () => {
    const { site, release, pid } = await siteInService()
    for (let last = pid; (await restartsOf(site)) < 2; last = await mustRun(site)) {
      process.kill(last, 'SIGKILL')
      await expect.poll(() => site.mainPid().then((now) => now !== last), { timeout: 20_000 }).toBe(true)
      await expect.poll(() => site.answering(), { timeout: 20_000 }).toBe(release.id)
    }
    expect(await site.deploy(release)).toMatchObject({ code: 0, json: { hosts: [{ changed: false }] } })
  })
})

describe('a release that cannot run', () => {
  test('is refused before anything is brought or stopped, whatever is wrong with it', async () => {
    const { site, pid } = await siteInService()
    const before = await stateOf(site)
    for (const [how, said, make] of [...brokenPrograms, ...strangePrograms]) {
      const refused = await site.deploy({ file: await brokenProgram(site.folder, make), id: '' })
      expect.soft(refused, how).toMatchObject({
        code: 7,
        json: { error: { code: 'refused', message: expect.stringContaining(said) as string } },
      })
    }
    expect(await site.mainPid()).toBe(pid)
    expect(await stateOf(site)).toEqual(before)
    expect(await filesBelow(site.paths.incoming)).toEqual([])
  })
})

describe('a release that ends', () => {
  // One child in a session of its own, one without the environment that it was given.
  const leaves = (nap: string): string =>
    `setsid sleep ${nap} & env -i /bin/sleep ${nap} & echo it leaves; printf 'with \\033[31mred\\n'`
  test.each([0, 3])(
    'with exit code %i is put back at once, with its last words and without its children',
    async (code) => {
      const { site, release } = await siteInService()
      const nap = `600.${process.pid}${code}`
      const bad = await foreignRelease(site, 'bad', `${leaves(nap)}\nexit ${code}`)
      const began = performance.now()
      const words = ['deploy', '--release', bad.file, '--min-healthy-time', '500ms', '--healthy-deadline', '90s']
      const failed = await site.netops(words)
      expect(failed.code).toBe(8)
      expect(performance.now() - began).toBeLessThan(30_000)
      expect(failed.stdout).toContain(
        `ended${code === 0 ? '' : ' 2 times after its start, last'} with exit code ${code}`,
      )
      expect(failed.stdout).toContain('  | it leaves\n  | with \\x1b[31mred\n')
      expect(failed.stdout).not.toContain('listening')
      expect(await site.answering()).toBe(release.id)
      expect(await processesBelow(nap)).toEqual([])
    },
  )
})

describe('a dry run', () => {
  test('of a first deployment makes nothing, not even the folder, and shows what the run then does', async () => {
    const site = await makeSite()
    const release = await smallRelease(site, '1.0.0')
    await sameAsShown(site, release, ['--config', await site.config()])
  })

  test('of a second deployment leaves all as it was, and shows what the run then does', async () => {
    const { site } = await siteInService()
    const next = await smallRelease(site, '1.1.0')
    await sameAsShown(site, next, ['--config', await site.config('next.yaml', 222)])
  })

  test('of a rollback leaves all as it was', async () => {
    const { site } = await siteInService()
    expect((await site.deploy(await smallRelease(site, '1.1.0'))).code).toBe(0)
    const before = await treeOf(site.root)
    const shown = await site.netops(['rollback', '--dry-run'])
    expect(shown.code).toBe(0)
    expect(shown.stdout).toContain('Dry run: nothing was changed.')
    expect(await treeOf(site.root)).toEqual(before)
  })
})

interface Shown {
  readonly id: string
  readonly unchanged: boolean
  readonly effects: readonly unknown[]
  readonly undo: readonly unknown[]
}

/** Shows a deployment, checks that this changed nothing, carries it out, and compares what was shown with the journals. */
async function sameAsShown(site: Site, release: Release, words: readonly string[]): Promise<void> {
  const tree = () => treeOf(site.root).catch(systemCode)
  const before = await tree()
  const dry = await site.deploy(release, [...words, '--dry-run'])
  expect(dry).toMatchObject({ code: 0, json: { dryRun: true } })
  expect(await tree()).toEqual(before)
  const real = await site.deploy(release, words)
  expect(real.code).toBe(0)
  const journals = await journalsOf(site)
  const carriedOut = (run: string): readonly Shown[] => {
    const records = journals.get(run) ?? []
    const start = records.find((record) => record.type === 'run')
    const begun = new Set(records.flatMap((record) => (record.type === 'begin' ? [record.step] : [])))
    return stepsOf(start?.plan ?? fail()).map(({ id, act, undo }) => ({
      id,
      unchanged: !begun.has(id),
      effects: act,
      undo,
    }))
  }
  const run = real.json.run ?? ''
  const [shown] = dry.json.hosts as readonly { push: readonly Shown[]; activate: readonly Shown[] }[]
  const relevant = ({ id, unchanged, effects, undo }: Shown): Shown => ({ id, unchanged, effects, undo })
  expect(anyRun(shown?.push.map(relevant))).toEqual(anyRun(carriedOut(run)))
  expect(anyRun(shown?.activate.map(relevant))).toEqual(anyRun(carriedOut(`${run}.local`)))
}

/** The same with every run's name replaced by one. */
const anyRun = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value).replaceAll(/\d{8}T\d{6}Z-deploy-[0-9a-f]+/g, 'RUN'))

// Mounting needs root; nobody else can fill a file system without filling the machine's.
describe.skipIf(process.getuid?.() !== 0)('a full disk', () => {
  test('refuses a deployment before anything is brought, leaves the service healthy, and the next one works', async () => {
    const around = await makeSite()
    const disk = join(around.folder, 'disk')
    await execText(['install', '-d', disk])
    await execText(['mount', '-t', 'tmpfs', '-o', 'size=240m', 'tmpfs', disk])
    onTestFinished(async () => {
      await execText(['umount', disk])
    })
    const site = await makeSite({ in: disk })
    const one = await smallRelease(site, '1.0.0')
    expect(await site.deploy(one, ['--config', await site.config()])).toMatchObject({ code: 0 })
    const [pid, before] = [await site.mainPid(), await stateOf(site)]
    // While the disk is full a service is right to say that it is not ready.
    const onDisk = async () => ({ ...(await stateOf(site)), answering: before.answering })
    const brought = () => filesBelow(site.paths.base)
    const there = await brought()
    const big = await builtRelease(inject('builds').server2, '1.1.0')
    for (const words of [[], ['--dry-run']]) {
      const refused = await site.deploy(big, words)
      expect(refused).toMatchObject({ code: 7, json: { error: { code: 'refused' } } })
      expect(refused.json.error?.message).toMatch(
        /^1\d\d\.\d MB are free on \S+\/disk, and 3\d\d\.\d MB are needed: 1\d\d\.\d MB for \S+\/incoming\/\S+, 1\d\d\.\d MB for \S+\/releases\/\S+, .* 67\.1 MB to be left/,
      )
      expect(await brought()).toEqual(there)
      expect(await onDisk()).toEqual(before)
      expect(await site.netops(['health'])).toMatchObject({ code: 0 })
    }

    const next = await smallRelease(site, '1.2.0')
    await execText(['sh', '-c', `dd if=/dev/zero of="$0" bs=64k 2>&1 || true`, join(disk, 'filler')])
    const failed = await site.deploy(next)
    expect(failed).toMatchObject({ code: 7, json: { error: { code: 'refused' } } })
    expect(failed.json.error?.message).toMatch(/^\S+ K?B are free on .* 67\.1 MB to be left/)
    expect(await brought()).toEqual(there)
    expect(await site.mainPid()).toBe(pid)
    expect(await onDisk()).toEqual(before)

    await execText(['rm', join(disk, 'filler')])
    await expect.poll(() => stateOf(site), { timeout: 20_000 }).toEqual(before)
    expect(await site.deploy(next)).toMatchObject({ code: 0 })
    expect(await site.answering()).toBe(next.id)
  })
})
