// Deployment over SSH on systemd hosts: two at once, what a failure leaves behind, and what an operator's death does not stop.
// The tests follow one fleet through its life, in order.
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest'
import { parseJournal } from '../../src/engine/journal.ts'
import { cutNetwork, powerOff, restoreNetwork } from '../../src/lab/faults.ts'
import { execOnHost, hostRoot } from '../../src/lab/host.ts'
import type { JournalRecord } from '../../src/model/journal.ts'
import { hostPaths, releaseId } from '../../src/model/paths.ts'
import { stepsOf, type Step } from '../../src/model/plan.ts'
import { exec, execText, start } from '../../src/system/exec.ts'
import { listIfAny, readTextIfAny, sha256OfFile } from '../../src/system/files.ts'
import { useLab } from '../support/lab.ts'

const both = ['web1', 'web2'] as const
const { lab, host } = useLab(...both)
const paths = hostPaths('/')

let folder = ''
let state = ''
let good: Readonly<Record<'one' | 'two', Release>>

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netops-deploy-'))
  state = join(folder, 'state')
  const { server1, server2 } = inject('builds')
  good = {
    one: { file: server1, id: releaseId('1.0.0', await sha256OfFile(server1)) },
    two: { file: server2, id: releaseId('1.1.0', await sha256OfFile(server2)) },
  }
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('on hosts where netops has never been', () => {
  let untouched: Listings | undefined

  test('a dry run leaves every file as it was', async () => {
    const before = await listAll()
    const shown = await netops('deploy', '--dry-run', ...wanted(good.one), '--config', await config('first', 1000))
    expect(shown).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('systemctl start network_service') as string,
    })
    untouched = await listAll()
    expect(untouched).toEqual(before)
  })

  test('a release that crashes is taken away again, and the hosts are clean', async () => {
    const crash = await foreign('crash', 'exit 1')
    const words = [...wanted(crash), '--config', await config('first', 1000)]
    const shown = shownBy(await netops('deploy', '--dry-run', '--json', ...words))
    const failed = await netops('deploy', '--json', ...words)
    expect(failed).toMatchObject({ code: 1, json: { outcome: 'failed' } })
    expect(failed.json.hosts).toMatchObject(both.map((name) => ({ host: name, outcome: 'failed', changed: false })))
    const after = await listAll()
    for (const name of both) expect(settled(after[name])).toEqual(settled(untouched?.[name] ?? {}))
    for (const name of both) {
      expect(await unit(name)).toMatchObject({ LoadState: 'not-found', ActiveState: 'inactive', MainPID: '0' })
      for (const path of [paths.current, paths.serverLink, paths.config, paths.unit, paths.tmpfiles, paths.releases]) {
        expect((await on(name, 'test', '-e', path)).code).toBe(1)
      }
      expect((await on(name, 'systemctl', 'is-system-running')).stdout).toBe('running\n')
    }
    // The dry run before it showed the very effects that were then journaled.
    expect(await journaledBy(runOf(failed))).toEqual(shown)
    expect(await netops('status')).toMatchObject({ code: 0, stdout: expect.stringContaining('not deployed') as string })
  })
})

describe('a release', () => {
  test('comes into service on two hosts at the same time', async () => {
    const first = await netops('deploy', '--json', ...wanted(good.one), '--config', await config('first', 1000))
    expect(first).toMatchObject({ code: 0, json: { outcome: 'done' } })
    expect(first.json.hosts).toMatchObject(both.map((name) => ({ host: name, changed: true, release: good.one.id })))
    for (const name of both) {
      expect(await serving(name)).toEqual({ current: good.one.id, answering: good.one.id, config: configText(1000) })
      const { MainPID = '' } = await unit(name)
      expect(await unit(name)).toMatchObject({ ActiveState: 'active', UnitFileState: 'enabled', NRestarts: '0' })
      expect((await on(name, 'ps', '-o', 'user:32=', '-p', MainPID)).stdout.trim()).toBe('network_service')
      const link = await on(name, 'readlink', '-f', paths.serverLink)
      expect(link.stdout.trim()).toBe(`${paths.releases}/${good.one.id}/network_server`)
      expect((await on(name, 'stat', '-c', '%A %U:%G', paths.config)).stdout.trim()).toBe(
        '-rw-r----- root:network_service',
      )
    }
    const [one, two] = [await spanOf(runOf(first), 'web1'), await spanOf(runOf(first), 'web2')]
    expect([one.from < two.to, two.from < one.to]).toEqual([true, true])
  })

  test('is installed with a unit that systemd finds nothing wrong with', async () => {
    const verified = await on('web1', 'systemd-analyze', 'verify', paths.unit)
    expect(verified).toMatchObject({ code: 0, stdout: '', stderr: '' })
  })

  test('of a second version is shown by a dry run that changes no file, then replaces the first as shown', async () => {
    const words = [...wanted(good.two), '--config', await config('second', 900)]
    const before = { units: await unitsNow(), files: await listAll() }
    const shown = shownBy(await netops('deploy', '--dry-run', '--json', ...words))
    expect({ units: await unitsNow(), files: await listAll() }).toEqual(before)
    const second = await netops('deploy', '--json', ...words)
    expect(second).toMatchObject({ code: 0, json: { outcome: 'done' } })
    expect(await journaledBy(runOf(second))).toEqual(shown)
    for (const name of both) {
      expect(await serving(name)).toEqual({ current: good.two.id, answering: good.two.id, config: configText(900) })
    }
    expect((await netops('health')).code).toBe(0)
  })

  test('that is in service already is not deployed again and nothing restarts', async () => {
    const before = await unitsNow()
    const again = await netops('deploy', '--json', ...wanted(good.two), '--config', await config('second', 900))
    expect(again).toMatchObject({ code: 0, json: { outcome: 'done' } })
    expect(again.json.hosts).toMatchObject(both.map((name) => ({ host: name, outcome: 'done', changed: false })))
    expect(await unitsNow()).toEqual(before)
  })
})

describe('a release that fails', () => {
  test('is rolled back to the release and the configuration before, healthy and with no trace in systemd', async () => {
    const before = await Promise.all(both.map(serving))
    const crash = await foreign('crash', 'exit 1')
    const failed = await netops('deploy', '--json', ...wanted(crash), '--config', await config('changed', 77))
    expect(failed).toMatchObject({ code: 8, json: { outcome: 'rolled-back' } })
    expect(failed.json.hosts).toMatchObject(both.map((name) => ({ host: name, exit: 8, changed: false })))
    expect(await Promise.all(both.map(serving))).toEqual(before)
    for (const name of both) {
      expect(await unit(name)).toMatchObject({ ActiveState: 'active', Result: 'success' })
      expect((await on(name, 'systemctl', 'is-system-running')).stdout).toBe('running\n')
      expect((await on(name, 'ls', paths.releases)).stdout).not.toContain(crash.id)
    }
    expect((await netops('health')).code).toBe(0)
  })

  test('on one host only is kept on the other, and the run counts as partly done', async () => {
    const before = await serving('web2')
    expect((await on('web1', 'cp', `${paths.releases}/${good.one.id}/network_server`, '/srv/server')).code).toBe(0)
    const picky = await foreign(
      'picky',
      `[ "$(uname -n)" = web2 ] && exit 1
NETWORK_RELEASE=$(basename "$(dirname "$(readlink -f "$0")")")
export NETWORK_RELEASE
exec /srv/server "$@"`,
    )
    const half = await netops('deploy', '--json', ...wanted(picky), '--config', await config('second', 900))
    expect(half).toMatchObject({ code: 3, json: { outcome: 'partly' } })
    expect(half.json.hosts).toMatchObject([
      { host: 'web1', outcome: 'done', changed: true },
      { host: 'web2', outcome: 'rolled-back', changed: false },
    ])
    expect(await serving('web1')).toMatchObject({ current: picky.id, answering: picky.id })
    expect(await serving('web2')).toEqual(before)
  })
})

describe('a configuration', () => {
  test('that is not valid is refused with file and line before anything stops', async () => {
    const before = await unitsNow()
    const file = join(folder, 'invalid.yaml')
    await writeFile(file, 'server:\n  port: eighty\n')
    const refused = await netops('deploy', ...wanted(good.one), '--config', file)
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining(`${file}:2`) as string })
    expect(await unitsNow()).toEqual(before)
  })

  test('that the new release itself refuses on the host stops nothing', async () => {
    const before = { units: await unitsNow(), serving: await Promise.all(both.map(serving)) }
    const file = join(folder, 'refused.yaml')
    await writeFile(file, configText(900))
    const strict = await listed('strict', 'echo "this release wants more" >&2; exit 2')
    const refused = await netops('deploy', '--json', ...wanted(strict), '--config', file)
    expect(refused).toMatchObject({ code: 2, json: { outcome: 'usage' } })
    expect(refused.json.error?.message).toContain('this release wants more')
    expect({ units: await unitsNow(), serving: await Promise.all(both.map(serving)) }).toEqual(before)
    for (const name of both) expect((await on(name, 'ls', paths.releases)).stdout).not.toContain(strict.id)
  })
})

describe('a rollback', () => {
  test('of one host leaves the other alone', async () => {
    const before = await unit('web2')
    expect((await netops('rollback', '--hosts', 'web1', ...quick)).code).toBe(0)
    expect(await serving('web1')).toEqual({ current: good.two.id, answering: good.two.id, config: configText(900) })
    expect(await unit('web2')).toEqual(before)
  })

  test('goes back to the release before with the configuration it ran with', async () => {
    expect(await netops('rollback', '--json', ...quick)).toMatchObject({ code: 0, json: { outcome: 'done' } })
    for (const name of both) {
      expect(await serving(name)).toEqual({ current: good.one.id, answering: good.one.id, config: configText(1000) })
    }
    expect((await netops('health')).code).toBe(0)
  })
})

describe('a run goes on', () => {
  test('on the hosts when the operator is killed, is told by status, and is completed by resume', async () => {
    const words = [...wanted(good.two), '--config', await config('second', 900), '--min-healthy-time', '5s']
    const { run, pid, ended } = await begin(words)
    for (const name of both) await until(() => relayedStep(run, name, 'stop'))
    process.kill(pid, 'SIGKILL')
    expect(await ended).toBe(137)
    const during = await netops('status', '--json')
    expect(during.json.hosts).toMatchObject(
      both.map((name) => ({ host: name, unfinished: [{ run: `${run}.${name}` }] })),
    )
    await Promise.all(both.map((name) => until(async () => (await hostJournal(name, run)).at(-1)?.type === 'end')))
    expect((await netops('status', '--json')).json.hosts).toMatchObject(
      both.map(() => ({ release: good.two.id, unfinished: [], health: { healthy: true } })),
    )
    const before = await unitsNow()
    const resumed = await netops('runs', 'resume', run, '--json')
    expect(resumed).toMatchObject({ code: 0, json: { outcome: 'done' } })
    expect(resumed.json.hosts).toMatchObject(both.map((name) => ({ host: name, changed: true, release: good.two.id })))
    expect(await unitsNow()).toEqual(before)
    expect(repeated(await journal(run))).toEqual(both.map((name) => `${name}/activate`))
    for (const name of both) expect(repeated(await hostJournal(name, run))).toEqual([])
  })

  test('on the host when its network is cut, and is completed by resume when it is back', async () => {
    const words = [
      ...wanted(good.one),
      '--config',
      await config('first', 1000),
      '--hosts',
      'web2',
      '--min-healthy-time',
      '3s',
    ]
    const { run, ended, output } = await begin(words)
    onTestFinished(() => restoreNetwork(host('web2')))
    await until(() => relayedStep(run, 'web2', 'stop'))
    await cutNetwork(host('web2'))
    const since = Date.now()
    await until(async () => (await hostJournal('web2', run)).at(-1)?.type === 'end')
    expect(await serving('web2')).toEqual({ current: good.one.id, answering: good.one.id, config: configText(1000) })
    expect(await ended).toBe(4)
    expect(Date.now() - since).toBeLessThan(60_000)
    expect(await readFile(output, 'utf8')).toContain(`netops runs resume ${run}`)
    await restoreNetwork(host('web2'))
    const before = await unit('web2')
    const resumed = await netops('runs', 'resume', run, '--json')
    expect(resumed).toMatchObject({ code: 0, json: { outcome: 'done' } })
    expect(await unit('web2')).toEqual(before)
    expect(repeated(await hostJournal('web2', run))).toEqual([])
  })

  test("after the host's own part was killed, once the operator resumes it", async () => {
    const words = [
      ...wanted(good.one),
      '--config',
      await config('third', 800),
      '--hosts',
      'web1',
      '--min-healthy-time',
      '5s',
    ]
    const { run, ended, output } = await begin(words)
    await until(async () => (await hostJournal('web1', run)).some((record) => isStep(record, 'stop', 'done')))
    const lease = JSON.parse((await on('web1', 'cat', paths.lease)).stdout) as { run: string; process: { pid: number } }
    expect(lease.run).toBe(`${run}.web1`)
    expect((await on('web1', 'kill', '-9', String(lease.process.pid))).code).toBe(0)
    expect(await ended).toBe(3)
    expect(await readFile(output, 'utf8')).toContain(`netops runs resume ${run}`)
    const cutOff = await hostJournal('web1', run)
    expect(cutOff.at(-1)?.type).not.toBe('end')
    const done = cutOff.flatMap((record) => (record.type === 'done' ? [record.step] : []))

    const blocked = await netops('deploy', '--json', ...wanted(good.two), '--hosts', 'web1')
    expect(blocked).toMatchObject({ code: 6, json: { outcome: 'locked' } })

    expect(await netops('runs', 'resume', run, '--json')).toMatchObject({ code: 0, json: { outcome: 'done' } })
    expect(await serving('web1')).toEqual({ current: good.one.id, answering: good.one.id, config: configText(800) })
    const again = repeated(await hostJournal('web1', run))
    expect(done.filter((step) => again.includes(step))).toEqual([])
    expect((await netops('health')).code).toBe(0)
  })
})

describe('a host key', () => {
  test.each(['unknown', 'changed'] as const)(
    'that is %s is refused with its fingerprint, and nothing is done',
    async (how) => {
      const before = { units: await unitsNow(), runs: await runsOnHosts() }
      const inventory = await inventoryWith(how)
      const refused = await netops('deploy', ...wanted(good.two), '--inventory', inventory)
      expect(refused.code).toBe(7)
      expect(refused.stderr).toContain(await fingerprintOf('web1'))
      expect(refused.stderr).toContain(how)
      expect({ units: await unitsNow(), runs: await runsOnHosts() }).toEqual(before)
    },
  )
})

describe('a host that does not serve', () => {
  test('makes health exit 5 when its service is stopped', async () => {
    expect((await on('web2', 'systemctl', 'stop', 'network_service')).code).toBe(0)
    const asked = await netops('health', '--json')
    expect(asked).toMatchObject({ code: 5, json: { outcome: 'unhealthy' } })
    expect(asked.json.hosts).toMatchObject([{ healthy: true }, { healthy: false, status: 'no answer' }])
    expect((await netops('status', '--json')).json.hosts).toMatchObject([
      { service: { state: 'running' } },
      { service: { state: 'stopped' } },
    ])
  })

  test('is shown by status as out of reach when it is off, beside the others', async () => {
    await powerOff(host('web2'))
    const [asked, deployed] = await Promise.all([
      netops('status', '--json'),
      netops('deploy', '--json', ...wanted(good.two)),
    ])
    expect(asked).toMatchObject({ code: 4, json: { outcome: 'unreachable' } })
    expect(asked.json.hosts).toMatchObject([{ release: good.one.id }, { error: { code: 'unreachable' } }])
    expect(deployed).toMatchObject({ code: 4, json: { error: { code: 'unreachable', host: 'web2' } } })
    expect(await serving('web1')).toMatchObject({ current: good.one.id })
  })
})

// ---- calling netops

interface Release {
  readonly file: string
  readonly id: string
}

const quick = ['--min-healthy-time', '1s', '--healthy-deadline', '30s']
const wanted = ({ file }: Release): string[] => ['--release', file, ...quick]

interface Called {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  readonly json: {
    readonly run?: string
    readonly hosts?: readonly Readonly<Record<string, unknown>>[]
    readonly error?: { readonly message: string }
  }
}

const command = (words: readonly string[]): string[] => [
  ...['env', `NETOPS_STATE_DIR=${state}`, inject('builds').netops, ...words],
  ...(words[0] === 'runs' || words.includes('--inventory') ? [] : ['--inventory', lab().inventory]),
]

async function netops(...words: string[]): Promise<Called> {
  const result = await exec(command(words), { timeoutMs: 120_000 })
  return { ...result, json: words.includes('--json') ? (JSON.parse(result.stdout) as Called['json']) : {} }
}

const runOf = ({ json }: Called): string => json.run ?? ''

/** Starts a deployment in the background; returns when its run has a journal. */
async function begin(words: readonly string[]) {
  const runs = join(state, 'runs')
  const known = await listIfAny(runs)
  const output = join(folder, `output-${known.length}`)
  const { pid, ended } = await start(command(['deploy', ...words]), { output })
  const run = await until(async () => (await listIfAny(runs)).find((name) => !known.includes(name)))
  return { run, pid, ended, output }
}

async function until<T>(probe: () => Promise<T | undefined | false>): Promise<T> {
  for (const deadline = Date.now() + 60_000; ;) {
    const value = await probe()
    if (value !== undefined && value !== false) return value
    if (Date.now() > deadline) throw new Error('it did not happen within a minute')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

// ---- what is deployed

const configText = (maxConnections: number): string => `server:
  host: 127.0.0.1
  port: 8080
  max_connections: ${maxConnections}
logging:
  level: INFO
  file: /var/log/network/server.log
metrics:
  host: 127.0.0.1
  port: 9090
`

async function config(name: string, maxConnections: number): Promise<string> {
  const file = join(folder, `${name}.yaml`)
  await writeFile(file, configText(maxConnections))
  return file
}

/** Any executable, of which nobody said what it is. */
async function foreign(name: string, script: string): Promise<Release> {
  const file = join(folder, name)
  await writeFile(file, `#!/bin/sh\n${script}\n`)
  await chmod(file, 0o755)
  return { file, id: releaseId('unversioned', await sha256OfFile(file)) }
}

/** An executable with a manifest as a build writes it, so that netops asks it to check the configuration. */
async function listed(name: string, script: string): Promise<Release> {
  await mkdir(join(folder, name))
  const { file } = await foreign(`${name}/network_server`, script)
  const sha256 = await sha256OfFile(file)
  const { size } = await stat(file)
  const built = {
    name: 'network_server',
    version: '9.9.9',
    commit: '0'.repeat(40),
    platform: 'linux-x64',
    node: '24.21.0',
  }
  const manifest = { schema: 'netops/build/v1', executables: [{ ...built, size, sha256 }] }
  await writeFile(join(folder, name, 'manifest.json'), JSON.stringify(manifest))
  return { file, id: releaseId('9.9.9', sha256) }
}

// ---- what the hosts are like, seen past netops

const on = async (name: string, ...argv: string[]) => execOnHost(host(name), argv)

const unitProperties = 'LoadState,ActiveState,UnitFileState,MainPID,InvocationID,NRestarts,Result'

async function unit(name: string): Promise<Readonly<Record<string, string>>> {
  const { stdout } = await on(name, 'systemctl', 'show', '--property', unitProperties, 'network_service')
  return Object.fromEntries(lines(stdout).map((line) => line.split('=', 2))) as Record<string, string>
}

const unitsNow = () => Promise.all(both.map(unit))

/** What a host serves: the release in place, the one that answers, and the configuration. */
async function serving(name: string) {
  const get = 'exec 3<>/dev/tcp/127.0.0.1/8080; printf "GET /health/ready HTTP/1.0\\r\\n\\r\\n" >&3; cat <&3'
  const [link, answer, text] = await Promise.all([
    on(name, 'readlink', paths.current),
    on(name, 'timeout', '5', 'bash', '-c', get),
    on(name, 'cat', paths.config),
  ])
  const ready = /^HTTP\/1\.\d 200 /.test(answer.stdout)
  return {
    current: link.stdout.trim().split('/').at(-1),
    answering: ready ? /^x-release: (.*)\r$/im.exec(answer.stdout)?.[1] : undefined,
    config: text.stdout,
  }
}

const runsOnHosts = () => Promise.all(both.map(async (name) => (await on(name, 'ls', paths.runs)).stdout))

// A login, a timer or systemd's own bookkeeping writes here at any time.
const volatile = [
  'proc',
  'sys',
  'run',
  'tmp',
  'dev',
  'var/tmp',
  'var/log/journal',
  'var/log/wtmp',
  'var/log/lastlog',
  'var/log/btmp',
  'var/lib/systemd',
]
// What a failed first attempt leaves for those who look into it: netops, its journals, the account that owns the log.
const ownWriting = [
  ...['opt/network_system', 'var/lib/netops', 'var/log/network'],
  ...['passwd', 'shadow', 'group', 'gshadow', 'subuid', 'subgid'].flatMap((file) => [`etc/${file}`, `etc/${file}-`]),
  'etc/.pwd.lock',
]

type Listing = Readonly<Record<string, string>>
type Listings = Readonly<Record<(typeof both)[number], Listing>>

/** Every file of both hosts: kind, mode, owner, size, time of the last change, target or hash. */
async function listAll(): Promise<Listings> {
  const [web1, web2] = await Promise.all([list('web1'), list('web2')])
  return { web1, web2 }
}

async function list(name: string): Promise<Listing> {
  const cwd = await hostRoot(host(name))
  const without = volatile.flatMap((path) => ['-o', '-path', `./${path}`]).slice(1)
  const find = ['find', '.', '(', ...without, ')', '-prune', '-o']
  const entries = await execText([...find, '-printf', '%P\\t%y %m %U:%G %s %T@ %l\\n'], { cwd })
  const files = await execText([...find, '-type', 'f', '-print0'], { cwd })
  const hashes = await execText(['xargs', '-0', 'sha256sum', '--'], { cwd, stdin: { text: files } })
  const hashOf = new Map(lines(hashes).map((line) => [line.slice(68), line.slice(0, 64)]))
  return Object.fromEntries(
    lines(entries).map((line) => {
      const [path = '', about = ''] = line.split('\t')
      return [path, `${about}${hashOf.get(path) ?? ''}`]
    }),
  )
}

const lines = (text: string): string[] => text.trimEnd().split('\n')

/** A listing without what a failed attempt may leave; folders in which something came and went have another time and size. */
const settled = (listing: Listing): Listing =>
  Object.fromEntries(
    Object.entries(listing)
      .filter(([path]) => !ownWriting.some((own) => path === own || path.startsWith(`${own}/`)))
      .map(([path, about]) => [path, about.startsWith('d ') ? about.split(' ').slice(0, 3).join(' ') : about]),
  )

// ---- journals

async function journal(run: string): Promise<readonly JournalRecord[]> {
  return readRecords(join(state, 'runs', run, 'journal.jsonl'))
}

/** The journal of a host's own part, as it lies on the host. */
async function hostJournal(name: string, run: string): Promise<readonly JournalRecord[]> {
  return readRecords(join(await hostRoot(host(name)), paths.runs, `${run}.${name}`, 'journal.jsonl'))
}

async function readRecords(file: string): Promise<readonly JournalRecord[]> {
  return parseJournal((await readTextIfAny(file)) ?? '', file).records
}

const isStep = (record: JournalRecord, step: string, type: 'begin' | 'done'): boolean =>
  record.type === type && record.step === step

/** Whether the operator's journal has heard that a host began a step. */
const relayedStep = async (run: string, name: string, step: string): Promise<boolean> =>
  (await journal(run)).some(
    (record) => record.type === 'relayed' && record.step === `${name}/activate` && isStep(record.record, step, 'begin'),
  )

/** The steps that were begun more than once. */
function repeated(records: readonly JournalRecord[]): readonly string[] {
  const begun = records.flatMap((record) => (record.type === 'begin' ? [record.step] : []))
  return [...new Set(begun.filter((step, index) => begun.indexOf(step) !== index))].sort()
}

/** When a host's own part began and ended, by the operator's journal. */
async function spanOf(run: string, name: string): Promise<{ from: string; to: string }> {
  const told = (await journal(run)).flatMap((record) =>
    record.type === 'relayed' && record.step === `${name}/activate` ? [record.record.at] : [],
  )
  return { from: told[0] ?? '', to: told.at(-1) ?? '' }
}

type ShownHost = Readonly<Record<'push' | 'activate', readonly Shown[]>>
type Shown = Pick<Step, 'id' | 'title'> & { readonly effects: unknown; readonly undo: unknown }

/** The steps of a dry run, with its run's name taken out. */
function shownBy({ json }: Called): unknown {
  const hosts = (json.hosts ?? []) as unknown as ({ host: string } & ShownHost)[]
  const run = /"run":"([^"]+)\.web\d"/.exec(JSON.stringify(hosts))?.[1] ?? ''
  return anonymous(
    hosts.map(({ host, push, activate }) => ({ host, push: push.map(plainShown), activate: activate.map(plainShown) })),
    run,
  )
}

/** The steps that the operator and the hosts journaled before they began, in the form of a dry run. */
async function journaledBy(run: string): Promise<unknown> {
  const plan = (await journal(run)).find((record) => record.type === 'run')?.plan
  const pushes = plan === undefined ? [] : stepsOf(plan)
  const hosts = await Promise.all(
    both.map(async (name) => {
      const own = (await hostJournal(name, run)).find((record) => record.type === 'run')?.plan
      const push = pushes.filter((step) => step.host === name)
      return { host: name, push: push.map(shownOf), activate: (own === undefined ? [] : stepsOf(own)).map(shownOf) }
    }),
  )
  return anonymous(hosts, run)
}

const shownOf = ({ id, title, act, undo }: Step): Shown => ({ id, title, effects: act, undo })
const plainShown = ({ id, title, effects, undo }: Shown): Shown => ({ id, title, effects, undo })
const anonymous = (value: unknown, run: string): unknown => JSON.parse(JSON.stringify(value).replaceAll(run, 'RUN'))

// ---- host keys

const fingerprintOf = async (name: string): Promise<string> =>
  (await on(name, 'ssh-keygen', '-lf', '/etc/ssh/ssh_host_ed25519_key.pub')).stdout.split(' ')[1] ?? ''

/** The lab's fleet file with other known hosts. */
async function inventoryWith(how: 'unknown' | 'changed'): Promise<string> {
  const known = join(folder, `known-${how}`)
  const key = join(folder, 'other-key')
  if (how === 'changed') await execText(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', key])
  const other = how === 'changed' ? await readFile(`${key}.pub`, 'utf8') : ''
  await writeFile(
    known,
    other === ''
      ? ''
      : lab()
          .hosts.map(({ address }) => `${address} ${other}`)
          .join(''),
  )
  const file = join(folder, `fleet-${how}.yml`)
  await writeFile(file, (await readFile(lab().inventory, 'utf8')).replace(lab().knownHosts, known))
  return file
}
