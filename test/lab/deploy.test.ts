// Deployment over SSH on systemd hosts: two at once, what a failure leaves behind, and what an operator's death does not stop.
// The tests follow one fleet through its life, in order.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest'
import { cutNetwork, powerOff, restoreNetwork } from '../../src/lab/faults.ts'
import { makeKey } from '../../src/lab/fleet-file.ts'
import { execOnHost, hostRoot } from '../../src/lab/host.ts'
import type { JournalRecord } from '../../src/model/journal.ts'
import { hostPaths, releaseId } from '../../src/model/paths.ts'
import { exec, start } from '../../src/system/exec.ts'
import { listIfAny, sha256OfFile } from '../../src/system/files.ts'
import { brokenProgram, strangePrograms } from '../support/broken-programs.ts'
import {
  configText,
  fingerprintOf,
  foreignRelease,
  isStep,
  journaledBy,
  listedRelease,
  listTree,
  readRecords,
  repeated,
  servedBy,
  settled,
  shownBy,
  unitOf,
  until,
  writeConfig,
  type Listing,
  type Release,
} from '../support/fleet.ts'
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
    const shown = await netops(
      'deploy',
      '--dry-run',
      ...wanted(good.one),
      '--config',
      await writeConfig(folder, 'first', 1000),
    )
    expect(shown).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('systemctl start network_service') as string,
    })
    untouched = await listAll()
    expect(untouched).toEqual(before)
  })

  test('a release that crashes is taken away again, and the hosts are clean', async () => {
    const crash = await foreignRelease(folder, 'crash', 'exit 1')
    const words = [...wanted(crash), '--config', await writeConfig(folder, 'first', 1000)]
    const shown = shownBy((await netops('deploy', '--dry-run', '--json', ...words)).json)
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
    expect(await journaled(runOf(failed))).toEqual(shown)
    expect(await netops('status')).toMatchObject({ code: 0, stdout: expect.stringContaining('not deployed') as string })
  })
})

describe('a release', () => {
  test('comes into service on two hosts at the same time', async () => {
    const first = await netops(
      'deploy',
      '--json',
      ...wanted(good.one),
      '--config',
      await writeConfig(folder, 'first', 1000),
    )
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
    const words = [...wanted(good.two), '--config', await writeConfig(folder, 'second', 900)]
    const before = { units: await unitsNow(), files: await listAll() }
    const shown = shownBy((await netops('deploy', '--dry-run', '--json', ...words)).json)
    expect({ units: await unitsNow(), files: await listAll() }).toEqual(before)
    const second = await netops('deploy', '--json', ...words)
    expect(second).toMatchObject({ code: 0, json: { outcome: 'done' } })
    expect(await journaled(runOf(second))).toEqual(shown)
    for (const name of both) {
      expect(await serving(name)).toEqual({ current: good.two.id, answering: good.two.id, config: configText(900) })
    }
    expect((await netops('health')).code).toBe(0)
  })

  test('that is in service already is not deployed again and nothing restarts', async () => {
    const before = await unitsNow()
    const again = await netops(
      'deploy',
      '--json',
      ...wanted(good.two),
      '--config',
      await writeConfig(folder, 'second', 900),
    )
    expect(again).toMatchObject({ code: 0, json: { outcome: 'done' } })
    expect(again.json.hosts).toMatchObject(both.map((name) => ({ host: name, outcome: 'done', changed: false })))
    expect(await unitsNow()).toEqual(before)
  })
})

describe('a release that fails', () => {
  test('is rolled back to the release and the configuration before, healthy and with no trace in systemd', async () => {
    const before = await Promise.all(both.map(serving))
    const crash = await foreignRelease(folder, 'crash', 'exit 1')
    const failed = await netops(
      'deploy',
      '--json',
      ...wanted(crash),
      '--config',
      await writeConfig(folder, 'changed', 77),
    )
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

  test('by leaving for the background is put back at once, with its last words and without what it started', async () => {
    const before = await serving('web1')
    const nap = `600.${process.pid}`
    const leaves = await foreignRelease(folder, 'leaves', `setsid sleep ${nap} &\necho it leaves`)
    const began = performance.now()
    const failed = await netops('deploy', '--hosts', 'web1', '--release', leaves.file, '--healthy-deadline', '90s')
    expect(failed.code).toBe(8)
    expect(performance.now() - began).toBeLessThan(45_000)
    expect(failed.stdout).toContain('the service has ended with exit code 0')
    expect(failed.stdout).toMatch(/log on web1 ends with:\n(?: {2}\| .*\n)* {2}\| it leaves\n/)
    // Nothing of the release before it.
    expect(failed.stdout).not.toContain(good.two.id)
    expect((await on('web1', 'pgrep', '-f', nap)).code).toBe(1)
    expect(await serving('web1')).toEqual(before)
  })

  test('because its host could not run it is refused before anything is brought', async () => {
    const lying = async () => (await on('web1', 'ls', '-AR', paths.releases, paths.incoming)).stdout
    const before = { unit: await unit('web1'), lying: await lying() }
    // Below a root all of them are tried; here what is found by other commands than there.
    for (const [how, said, make] of strangePrograms.filter(([how]) => /machine|env|library/.test(how))) {
      const file = await brokenProgram(folder, make)
      const refused = await netops('deploy', '--json', '--hosts', 'web1', '--release', file, ...quick)
      expect.soft({ how, ...refused }).toMatchObject({ code: 7, json: { outcome: 'refused' } })
      expect.soft(refused.json.error?.message).toContain(said)
    }
    expect({ unit: await unit('web1'), lying: await lying() }).toEqual(before)
  })

  test('on one host only is kept on the other, and the run counts as partly done', async () => {
    const before = await serving('web2')
    expect((await on('web1', 'cp', `${paths.releases}/${good.one.id}/network_server`, '/srv/server')).code).toBe(0)
    const picky = await foreignRelease(
      folder,
      'picky',
      `[ "$(uname -n)" = web2 ] && exit 1
NETWORK_RELEASE=$(basename "$(dirname "$(readlink -f "$0")")")
export NETWORK_RELEASE
exec /srv/server "$@"`,
    )
    const half = await netops(
      'deploy',
      '--json',
      ...wanted(picky),
      '--config',
      await writeConfig(folder, 'second', 900),
    )
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
    const strict = await listedRelease(folder, 'strict', 'echo "this release wants more" >&2; exit 2')
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

describe('the service under systemd', () => {
  test('goes on through signals that ask for no end, and says that it ignores them', async () => {
    const before = await unit('web1')
    // The first two ask for something, but not for an end.
    const signals = ['USR2', 'ALRM', 'PWR']
    for (const signal of ['HUP', 'USR1', ...signals]) {
      expect((await on('web1', 'systemctl', 'kill', '-s', signal, 'network_service')).code).toBe(0)
    }
    const log = async () => (await on('web1', 'journalctl', '-u', 'network_service', '-o', 'cat', '-b')).stdout
    for (const signal of signals) await expect.poll(log, { timeout: 20_000 }).toContain(`SIG${signal} is ignored`)
    expect(await unit('web1')).toEqual(before)
  })

  test('is brought back after any end that nobody asked for, which no later deployment holds against it', async () => {
    const { NRestarts: before = '' } = await unit('web1')
    for (const [times, signal] of [
      [1, 'TERM'],
      [2, 'KILL'],
    ] as const) {
      expect((await on('web1', 'systemctl', 'kill', '-s', signal, 'network_service')).code).toBe(0)
      await expect
        .poll(async () => Number((await unit('web1')).NRestarts), { timeout: 20_000 })
        .toBe(Number(before) + times)
      await expect.poll(async () => (await serving('web1')).answering, { timeout: 20_000 }).toBe(good.one.id)
    }
    const again = await netops('deploy', '--json', '--hosts', 'web1', ...wanted(good.one))
    expect(again).toMatchObject({ code: 0, json: { hosts: [{ host: 'web1', changed: false }] } })
  })

  test('stays stopped when systemctl stops it with its sockets', async () => {
    expect((await on('web1', 'systemctl', 'stop', 'network_service.socket')).code).toBe(0)
    // Longer than RestartSec.
    await sleep(2000)
    expect(await unit('web1')).toMatchObject({ ActiveState: 'inactive', Result: 'success', MainPID: '0' })
    expect((await on('web1', 'systemctl', 'start', 'network_service')).code).toBe(0)
    await expect.poll(async () => (await serving('web1')).answering, { timeout: 20_000 }).toBe(good.one.id)
  })
})

describe('a run goes on', () => {
  test('on the hosts when the operator is killed, is told by status, and is completed by resume', async () => {
    const words = [
      ...wanted(good.two),
      '--config',
      await writeConfig(folder, 'second', 900),
      '--min-healthy-time',
      '5s',
    ]
    const { run, pid, ended } = await begin(words)
    for (const name of both) await until(() => relayedStep(run, name, 'restart'))
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
    expect(repeated(await journal(run))).toEqual(both.flatMap((name) => [`${name}/activate`, `${name}/lease`]))
    for (const name of both) expect(repeated(await hostJournal(name, run))).toEqual([])
  })

  test('on the host when its network is cut, and is completed by resume when it is back', async () => {
    const words = [
      ...wanted(good.one),
      '--config',
      await writeConfig(folder, 'first', 1000),
      '--hosts',
      'web2',
      '--min-healthy-time',
      '3s',
    ]
    const { run, ended, output } = await begin(words)
    onTestFinished(() => restoreNetwork(host('web2')))
    await until(() => relayedStep(run, 'web2', 'restart'))
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
      await writeConfig(folder, 'third', 800),
      '--hosts',
      'web1',
      '--min-healthy-time',
      '5s',
    ]
    const { run, ended, output } = await begin(words)
    await until(async () => (await hostJournal('web1', run)).some((record) => isStep(record, 'way-back', 'done')))
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
      const inventory = await fleetFileWith(how)
      const refused = await netops('deploy', ...wanted(good.two), '--inventory', inventory)
      expect(refused.code).toBe(7)
      expect(refused.stderr).toContain(await fingerprintOf(host('web1')))
      expect(refused.stderr).toContain(how)
      expect({ units: await unitsNow(), runs: await runsOnHosts() }).toEqual(before)
    },
  )
})

describe('a host that does not serve', () => {
  test('makes health exit 5 when its service is stopped', async () => {
    expect((await on('web2', 'systemctl', 'stop', 'network_service.socket')).code).toBe(0)
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

// ---- what the hosts are like, seen past netops

const on = async (name: string, ...argv: string[]) => execOnHost(host(name), argv)

const unit = (name: string) => unitOf(host(name))
const serving = (name: string) => servedBy(host(name))
const unitsNow = () => Promise.all(both.map(unit))

const runsOnHosts = () => Promise.all(both.map(async (name) => (await on(name, 'ls', paths.runs)).stdout))

type Listings = Readonly<Record<(typeof both)[number], Listing>>

/** Every file of both hosts. */
async function listAll(): Promise<Listings> {
  const [web1, web2] = await Promise.all([
    listTree(await hostRoot(host('web1'))),
    listTree(await hostRoot(host('web2'))),
  ])
  return { web1, web2 }
}

// ---- journals

async function journal(run: string): Promise<readonly JournalRecord[]> {
  return readRecords(join(state, 'runs', run, 'journal.jsonl'))
}

/** The journal of a host's own part, as it lies on the host. */
async function hostJournal(name: string, run: string): Promise<readonly JournalRecord[]> {
  return readRecords(join(await hostRoot(host(name)), paths.runs, `${run}.${name}`, 'journal.jsonl'))
}

/** Whether the operator's journal has heard that a host began a step. */
const relayedStep = async (run: string, name: string, step: string): Promise<boolean> =>
  (await journal(run)).some(
    (record) => record.type === 'relayed' && record.step === `${name}/activate` && isStep(record.record, step, 'begin'),
  )

/** When a host's own part began and ended, by the operator's journal. */
async function spanOf(run: string, name: string): Promise<{ from: string; to: string }> {
  const told = (await journal(run)).flatMap((record) =>
    record.type === 'relayed' && record.step === `${name}/activate` ? [record.record.at] : [],
  )
  return { from: told[0] ?? '', to: told.at(-1) ?? '' }
}

async function journaled(run: string): Promise<unknown> {
  const own = both.map(async (name) => ({ host: name, records: await hostJournal(name, run) }))
  return journaledBy(run, await journal(run), await Promise.all(own))
}

/** The lab's fleet file with known hosts that hold no key, or another one for each host. */
async function fleetFileWith(how: 'unknown' | 'changed'): Promise<string> {
  const known = join(folder, `known-${how}`)
  const key = how === 'changed' ? await makeKey(join(folder, 'other-key'), '') : ''
  const listed = lab().hosts.map(({ address }) => (key === '' ? '' : `${address} ${key}\n`))
  await writeFile(known, listed.join(''))
  const file = join(folder, `fleet-${how}.yml`)
  await writeFile(file, (await readFile(lab().inventory, 'utf8')).replace(lab().knownHosts, known))
  return file
}
