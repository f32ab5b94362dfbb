// Tuning as a user does it below a root folder: what is written, that a second time changes nothing, and that all is taken back.
import { chmod, mkdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, inject, test } from 'vitest'
import { systemCode } from '../../src/model/errors.ts'
import { stepsOf } from '../../src/model/plan.ts'
import { serverSettings } from '../../src/model/tuning.ts'
import { tunedFiles } from '../../src/procedures/tune/facts.ts'
import { exec, execText } from '../../src/system/exec.ts'
import { getAttribute, setAttribute } from '../support/attributes.ts'
import { filesBelow, journalsOf, makeSite, smallRelease, treeOf, type Called, type Site } from '../support/site.ts'

const netops = (...words: string[]) => exec([inject('builds').netops, ...words])
const apply = (site: Site, ...words: string[]): Promise<Called> => site.netops(['tune', 'apply', '--json', ...words])
const verify = (site: Site): Promise<Called> => site.netops(['tune', 'verify', '--json'])
const revert = (site: Site, ...words: string[]): Promise<Called> => site.netops(['tune', 'revert', '--json', ...words])

const etc = (site: Site) => treeOf(join(site.root, 'etc')).catch(systemCode)
/** Without the times of folders, in which something came and went. */
const settled = async (site: Site) => {
  const tree = await etc(site)
  return typeof tree === 'object'
    ? Object.entries(tree).map(([path, about]) => [path, about.split(' ').filter((_, index) => index !== 1)])
    : tree
}

async function put(path: string, text: string, mode = 0o644): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, text)
  await chmod(path, mode)
}

const quick = ['--min-healthy-time', '300ms', '--healthy-deadline', '20s']

/** What of the tuned environment the service's own process has. */
async function environmentOf(site: Site): Promise<readonly string[]> {
  const text = await readFile(`/proc/${(await site.mainPid()) ?? 0}/environ`, 'utf8')
  const names = Object.values(serverSettings)
  return text.split('\0').filter((entry) => names.includes(entry.split('=')[0] ?? ''))
}

describe('tuning below a root', () => {
  test('writes the files of the guide, says that the kernel is left alone, and verifies', async () => {
    const site = await makeSite()
    const applied = await apply(site)
    expect(applied).toMatchObject({ code: 0, json: { hosts: [{ outcome: 'done', changed: true, profile: 'guide' }] } })
    expect(await readFile(site.paths.sysctlDropIn, 'utf8')).toContain('\nnet.ipv4.ip_local_port_range = 10000 65000\n')
    const limits = (await readFile(site.paths.limitsDropIn, 'utf8')).split('\n').filter((line) => /^network/.test(line))
    expect(limits).toEqual([
      'network_service soft nofile 1000000',
      'network_service hard nofile 1000000',
      'network_service soft nproc 32768',
      'network_service hard nproc 32768',
    ])
    expect(await readFile(site.paths.unitDropIn, 'utf8')).toMatch(
      /\[Service\]\n(#.*\n)?LimitNOFILE=1000000\n(#.*\n)?LimitNPROC=32768\n/,
    )
    for (const path of tunedFiles(site.paths)) {
      expect(await readFile(path, 'utf8')).toMatch(
        /^# Written by netops from .* with profile guide; `netops tune revert` removes it\.\n/,
      )
      expect((await stat(path)).mode & 0o7777).toBe(0o644)
    }
    expect((await site.netops(['tune', 'apply'])).stdout).toContain("this machine's kernel is not touched")
    expect(await verify(site)).toMatchObject({ code: 0, json: { hosts: [{ drift: [] }] } })
  })

  test('once more changes nothing', async () => {
    const site = await makeSite()
    await apply(site, '--profile', 'sized')
    const before = [await etc(site), await readFile(site.paths.tuning, 'utf8'), await stat(site.paths.tuning)]
    expect(await apply(site, '--profile', 'sized')).toMatchObject({ code: 0, json: { hosts: [{ changed: false }] } })
    expect([await etc(site), await readFile(site.paths.tuning, 'utf8'), await stat(site.paths.tuning)]).toMatchObject(
      before,
    )
  })

  test('by a dry run changes nothing, and shows the effects that are then journaled', async () => {
    const site = await makeSite()
    const tree = () => treeOf(site.root).catch(systemCode)
    const before = await tree()
    const dry = await apply(site, '--dry-run')
    expect(dry).toMatchObject({ code: 0, json: { dryRun: true } })
    expect(await tree()).toEqual(before)
    const real = await apply(site)
    const run = real.json.run ?? ''
    const start = (await journalsOf(site)).get(`${run}.local`)?.find((record) => record.type === 'run')
    if (start === undefined) throw new Error('the host journaled nothing')
    const journaled = stepsOf(start.plan).map(({ id, act, undo }) => ({ id, effects: act, undo }))
    const [shown] = dry.json.hosts as readonly { tune: typeof journaled }[]
    const relevant = ({ id, effects, undo }: (typeof journaled)[number]) => ({ id, effects, undo })
    const anyRun = (value: unknown) =>
      JSON.parse(JSON.stringify(value).replaceAll(/\d{8}T\d{6}Z-tune-\w{4}/g, 'RUN')) as unknown
    expect(anyRun(shown?.tune.map(relevant))).toEqual(anyRun(journaled))
  })

  test('of another profile and without some settings replaces the first, and keeps its originals', async () => {
    const site = await makeSite()
    await put(site.paths.limitsDropIn, '# mine\n')
    await apply(site)
    const skip = 'nofile,nproc'
    expect(await apply(site, '--profile', 'sized', '--skip', skip, '--set', 'vm.swappiness=1')).toMatchObject({
      code: 0,
    })
    expect(await readFile(site.paths.sysctlDropIn, 'utf8')).toContain('\nvm.swappiness = 1\n')
    expect(await readFile(site.paths.limitsDropIn, 'utf8')).toBe('# mine\n')
    expect(await verify(site)).toMatchObject({ code: 0 })
    expect(await revert(site)).toMatchObject({ code: 0 })
    expect(await filesBelow(join(site.root, 'etc'))).toEqual(['security/limits.d/90-network-system.conf'])
  })

  test('names a file that wins over it, and one that loses', async () => {
    const site = await makeSite()
    await put(join(site.root, 'etc/sysctl.d/99-other.conf'), '# mine\nnet/core/somaxconn = 128\n')
    await put(join(site.root, 'usr/lib/sysctl.d/10-vendor.conf'), 'vm.swappiness = 60\n')
    const applied = await apply(site)
    expect(applied).toMatchObject({
      code: 3,
      json: { outcome: 'partly', error: { code: 'partly' }, hosts: [{ exit: 3 }] },
    })
    expect(applied.json.hosts?.[0]?.problems).toEqual([
      `net.core.somaxconn: ${site.root}/etc/sysctl.d/99-other.conf:2 says 128 and wins at the next start of the host`,
    ])
    expect(await apply(site, '--skip', 'net.core.somaxconn')).toMatchObject({ code: 0 })
    expect((await site.netops(['tune', 'plan'])).stdout).toContain(
      '/usr/lib/sysctl.d/10-vendor.conf:1 says 60 and loses',
    )
  })
})

describe('what drifted', () => {
  test.each<[string, (path: string) => Promise<unknown>]>([
    ['is gone', (path) => rm(path)],
    ['has other content', (path) => writeFile(path, 'x\n')],
    ['has another mode', (path) => chmod(path, 0o600)],
    ['is a link', (path) => rm(path).then(() => symlink('/dev/null', path))],
  ])('is named when a file %s, and put right by applying again', async (_, change) => {
    const site = await makeSite()
    await apply(site)
    await change(site.paths.limitsDropIn)
    const found = await verify(site)
    expect(found).toMatchObject({ code: 9, json: { hosts: [{ drift: [{ what: site.paths.limitsDropIn }] }] } })
    expect(await apply(site)).toMatchObject({ code: 0, json: { hosts: [{ changed: true }] } })
    expect(await verify(site)).toMatchObject({ code: 0 })
  })

  test('cannot be told where nothing was applied', async () => {
    const site = await makeSite()
    expect(await verify(site)).toMatchObject({ code: 7, json: { hosts: [{ error: { code: 'refused' } }] } })
  })
})

describe('taking it back', () => {
  test('leaves nothing of it where nothing was', async () => {
    const site = await makeSite()
    await apply(site)
    await apply(site, '--profile', 'sized')
    expect(await revert(site)).toMatchObject({ code: 0, json: { hosts: [{ changed: true, remains: [] }] } })
    expect(await etc(site)).toBe('ENOENT')
    expect(await revert(site)).toMatchObject({ code: 0, json: { hosts: [{ changed: false }] } })
    expect(await verify(site)).toMatchObject({ code: 7 })
  })

  test('restores files as they were: content, mode, link, time, attributes', async () => {
    const site = await makeSite()
    await put(site.paths.sysctlDropIn, 'vm.swappiness = 3\n# no end of line', 0o600)
    await put(site.paths.tuningEnvironment, '', 0o640)
    await mkdir(dirname(site.paths.unitDropIn), { recursive: true })
    await symlink('/dev/null', site.paths.unitDropIn)
    await execText([...setAttribute(site.paths.sysctlDropIn, 'vault')])
    const timeOf = async () => (await stat(site.paths.sysctlDropIn)).mtimeMs
    const time = await timeOf()
    const before = await settled(site)
    await apply(site)
    expect(await settled(site)).not.toEqual(before)
    expect(await execText([...getAttribute(site.paths.sysctlDropIn)])).toBe('')
    // Tuned again, it is still the first file that comes back.
    expect(await apply(site, '--profile', 'sized')).toMatchObject({ code: 0 })
    expect((await revert(site, '--dry-run')).code).toBe(0)
    expect(await revert(site)).toMatchObject({ code: 0 })
    expect(await settled(site)).toEqual(before)
    expect(await execText([...getAttribute(site.paths.sysctlDropIn)])).toBe('vault')
    expect(await timeOf()).toBe(time)
    expect((await filesBelow(site.paths.state)).filter((path) => path.includes('tuning'))).toEqual([])
  })
})

describe('a running service', () => {
  test('is told to keep its old settings until a restart, has the new ones after it, and the old ones after a revert', async () => {
    const site = await makeSite()
    const release = await smallRelease(site, '1.0.0')
    expect((await site.deploy(release, ['--config', await site.config()])).code).toBe(0)
    const pid = await site.mainPid()
    const applied = await site.netops(['tune', 'apply'])
    expect(applied.stdout).toContain(
      'keeps its old server.worker_threads, performance.connection_pool_size until its next start',
    )
    expect(await site.mainPid()).toBe(pid)
    expect(await environmentOf(site)).toEqual([])
    expect(await apply(site, '--restart', ...quick)).toMatchObject({
      code: 0,
      json: { hosts: [{ changed: true, pending: [] }] },
    })
    expect((await environmentOf(site)).length).toBe(2)
    expect(await site.answering()).toBe(release.id)
    const tuned = await site.mainPid()
    expect(await apply(site, '--restart', ...quick)).toMatchObject({ json: { hosts: [{ changed: false }] } })
    expect(await site.mainPid()).toBe(tuned)
    expect(await verify(site)).toMatchObject({ code: 0 })
    expect(await revert(site, '--restart', ...quick)).toMatchObject({ code: 0 })
    expect(await environmentOf(site)).toEqual([])
    expect(await site.answering()).toBe(release.id)
  })

  test('that does not come up with them gets its old ones back, and serves as before', async () => {
    const site = await makeSite()
    const release = await smallRelease(site, '1.0.0', 'if [ -n "$NETWORK_SERVER_WORKER_THREADS" ]; then exit 1; fi')
    expect((await site.deploy(release, ['--config', await site.config()])).code).toBe(0)
    const before = await settled(site)
    const failed = await apply(site, '--restart', ...quick)
    expect(failed).toMatchObject({ code: 8, json: { outcome: 'rolled-back', hosts: [{ changed: false }] } })
    expect(await settled(site)).toEqual(before)
    expect(await site.answering()).toBe(release.id)
    expect(await verify(site)).toMatchObject({ code: 7 })
  })
})

describe('tuning that cannot be', () => {
  test.each([
    [['--profile', 'fast'], '--profile'],
    [['--skip', 'vm.swappines'], 'did you mean vm.swappiness?'],
    [['--set', 'net.core.somaxconn'], 'expected KEY=VALUE'],
    [['--set', '../../../etc/passwd=x'], 'expected a kernel parameter'],
    [['--set', 'vm.swappiness=1\nkernel.core_pattern=|/bin/sh'], 'visible characters'],
    [['--set', 'server.worker_threads=0'], 'server.worker_threads'],
    [['--sikp', 'nofile'], '--skip'],
  ])('is refused before anything is touched: %j', async (words, message) => {
    const site = await makeSite()
    const called = await site.netops(['tune', 'apply', ...words])
    expect(called.code).toBe(2)
    expect(called.stderr).toContain(message)
    expect(await etc(site)).toBe('ENOENT')
  })

  test('because what lies there could not be put back is refused', async () => {
    const site = await makeSite()
    await mkdir(site.paths.sysctlDropIn, { recursive: true })
    const before = await etc(site)
    expect(await apply(site)).toMatchObject({ code: 7, json: { error: { code: 'refused' } } })
    expect(await etc(site)).toEqual(before)
  })

  test.each(['apply', 'revert', 'verify'])('because a newer netops wrote the record is refused: %s', async (action) => {
    const site = await makeSite()
    await put(site.paths.tuning, '{"schema":"netops/tuning/v2"}\n')
    expect((await site.netops(['tune', action])).code).toBe(7)
    expect(await readFile(site.paths.tuning, 'utf8')).toBe('{"schema":"netops/tuning/v2"}\n')
  })
})

describe('the scale of a server', () => {
  test.each([
    [
      '16',
      '32GiB',
      ['worker_threads: 32', 'max_connections: 10000', 'connection_pool_size: 1000', 'buffer_size: 1048576'],
    ],
    ['2', '2GiB', ['worker_threads: 4', 'max_connections: 1000', 'connection_pool_size: 100', 'buffer_size: 1048576']],
    ['1', '64MiB', ['worker_threads: 4', 'max_connections: 500', 'connection_pool_size: 50', 'buffer_size: 65536']],
  ])(
    'for %s cores and %s is a configuration that is accepted, with a reason for each value',
    async (cpus, memory, lines) => {
      const site = await makeSite()
      const { code, stdout } = await netops('tune', 'scale', '--cpus', cpus, '--memory', memory)
      expect(code).toBe(0)
      const values = stdout.split('\n').filter((line) => /^ {2}[a-z]/.test(line))
      expect(values.map((line) => line.trim())).toEqual(lines)
      expect(stdout.split('\n').filter((line) => /^ {2}# /.test(line))).toHaveLength(4)
      const file = join(site.folder, 'scaled.yaml')
      await writeFile(file, stdout)
      expect(await netops('config', 'validate', file)).toMatchObject({ code: 0 })
    },
  )

  test.each([
    [['--cpus', '2'], '--memory: expected how much memory, such as 32GiB'],
    [['--memory', '2GiB'], '--cpus: expected how many cores'],
    [['--cpus', '0', '--memory', '2GiB'], '--cpus: expected a whole number of at least 1'],
    [['--cpus', '2', '--memory', '2'], '--memory: expected a size'],
    [['--cpus', '2', '--memory', '1MiB'], '--memory: expected at least 64MiB'],
  ])('is refused for %j', async (words, message) => {
    const { code, stderr } = await netops('tune', 'scale', ...words)
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(message) as string })
  })
})
