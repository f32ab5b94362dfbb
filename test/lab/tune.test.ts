// Tuning on a systemd host over SSH: what the kernel makes of each key, what wins over it, and that all of it can be taken back.
// The tests follow one host through its life, in order. The last part sets this machine's own kernel, and puts it back.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { askProbe } from '../../src/runs/probes.ts'
import { applyCommands } from '../../src/drivers/hosts/apply.ts'
import { commandsOf } from '../../src/drivers/hosts/commands.ts'
import { connectLocal } from '../../src/drivers/hosts/local.ts'
import { readerOver } from '../../src/drivers/hosts/reader.ts'
import { processServices } from '../../src/drivers/services/process.ts'
import { execOnHost, hostRoot } from '../../src/lab/host.ts'
import type { Effect, HostRunEffect } from '../../src/model/effects.ts'
import type { JournalRecord } from '../../src/model/journal.ts'
import { hostPaths } from '../../src/model/paths.ts'
import { stepsOf, type Step } from '../../src/model/plan.ts'
import { plainSysctl, sysctlPath } from '../../src/model/sysctl.ts'
import { guideKernel } from '../../src/model/tuning-profiles.ts'
import { lazyHost } from '../../src/runs/hosts.ts'
import { mostOf, readTuningFacts } from '../../src/procedures/tune/facts.ts'
import { planTuning } from '../../src/procedures/tune/plan.ts'
import { tuningTemplates } from '../../src/procedures/tune/templates.ts'
import { exec } from '../../src/system/exec.ts'
import { isStep, listTree, readRecords, settled, unitOf, until, writeConfig, type Listing } from '../support/fleet.ts'
import { useLab } from '../support/lab.ts'
import { tuneOrder } from '../support/tuning.ts'

const { lab, host } = useLab('web1')
const paths = hostPaths('/')

// What a host in a container cannot set: these belong to the machine as a whole.
const ofTheMachine = ['net.core.netdev_max_backlog', 'fs.file-max', 'fs.nr_open', 'vm.max_map_count', 'vm.swappiness']
const ofTheHost = Object.keys(guideKernel).filter((key) => !ofTheMachine.includes(key))
const skip = ['--skip', ofTheMachine.join(',')]
// Where this machine itself may not raise limits, its labs cannot either (setrlimit(2)).
let most = 1_000_000
/** What makes tuning complete on a host of the lab. */
const complete = (): string[] => [...skip, ...(most < 1_000_000 ? ['--set', `nofile=${most}`] : [])]
const quick = ['--min-healthy-time', '500ms', '--healthy-deadline', '30s']

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netops-tune-'))
  const bound = mostOf((await on('cat', '/proc/1/status', '/proc/1/limits')).stdout).nofile
  most = Math.min(most, Number(bound ?? most))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

interface Called {
  readonly code: number
  readonly stdout: string
  readonly json: {
    readonly hosts?: readonly Readonly<Record<string, unknown>>[]
    readonly error?: { readonly message: string; readonly code: string }
  }
}

async function netops(...words: string[]): Promise<Called> {
  const argv = [inject('builds').netops, ...words, '--inventory', lab().inventory]
  const result = await exec(argv, { env: { NETOPS_STATE_DIR: join(folder, 'state') }, timeoutMs: 120_000 })
  return { ...result, json: words.includes('--json') ? (JSON.parse(result.stdout) as Called['json']) : {} }
}

const on = (...argv: string[]) => execOnHost(host('web1'), argv)

/** The values of the guide's keys by the host's own /proc; undefined where it has no such file. */
async function kernelOf(keys: readonly string[]): Promise<Readonly<Record<string, string | undefined>>> {
  const read = keys.map(async (key) => {
    const { code, stdout } = await on('cat', sysctlPath(key))
    return [key, code === 0 ? plainSysctl(stdout) : undefined] as const
  })
  return Object.fromEntries(await Promise.all(read))
}

/** Every file of the host but those in which the service keeps its data. */
const listing = async (): Promise<Listing> =>
  Object.fromEntries(
    Object.entries(await listTree(await hostRoot(host('web1')))).filter(
      ([path]) => !path.startsWith('var/lib/network_system/'),
    ),
  )
const put = (path: string, text: string) =>
  on('sh', '-c', 'mkdir -p "$(dirname "$1")"; printf %s "$2" > "$1"', 'sh', path, text)

const namesIn = (called: Called): string[] =>
  ((called.json.hosts?.[0]?.problems ?? []) as string[]).map((line) => line.split(':')[0] ?? '')

/** What the running service has, by its process. */
async function runningWith(): Promise<{ nofile: string; nproc: string; environment: string[] }> {
  const { MainPID = '' } = await unitOf(host('web1'))
  const { stdout } = await on('cat', `/proc/${MainPID}/limits`)
  const environment = (await on('cat', `/proc/${MainPID}/environ`)).stdout.split('\0')
  return {
    nofile: /^Max open files\s+(\S+)/m.exec(stdout)?.[1] ?? '',
    nproc: /^Max processes\s+(\S+)/m.exec(stdout)?.[1] ?? '',
    environment: environment.filter((entry) => entry.startsWith('NETWORK_')).sort(),
  }
}

describe('a host that was never tuned', () => {
  test('is planned for by reading alone, and has nothing to verify', async () => {
    const before = await listing()
    const plan = await netops('tune', 'plan', '--json')
    expect(plan.code).toBe(0)
    const settings = plan.json.hosts?.[0]?.settings as { name: string; problems: string[]; reason: string }[]
    const inTheWay = settings.filter(({ problems }) => problems.length > 0).map(({ name }) => name)
    expect(inTheWay.sort()).toEqual([...ofTheMachine, ...(most < 1_000_000 ? ['nofile'] : [])].sort())
    for (const { reason } of settings) expect(reason).not.toBe('')
    expect((await netops('tune', 'show')).stdout).toContain('net.ipv4.tcp_fin_timeout')
    expect(await netops('tune', 'verify', '--json')).toMatchObject({ code: 7 })
    expect(await listing()).toEqual(before)
  })
})

describe('tuning by the guide', () => {
  let before: { files: Listing; kernel: Readonly<Record<string, string | undefined>> }

  test('sets what the host can set, and names each key that it cannot', async () => {
    const words = ['--release', inject('builds').server1, '--config', await writeConfig(folder, 'first', 1000)]
    expect(await netops('deploy', ...quick, ...words)).toMatchObject({ code: 0 })
    before = { files: await listing(), kernel: await kernelOf(Object.keys(guideKernel)) }
    const applied = await netops('tune', 'apply', '--json')
    expect(applied).toMatchObject({
      code: 3,
      json: { error: { code: 'partly' }, hosts: [{ outcome: 'partly', exit: 3 }] },
    })
    expect(namesIn(applied).sort()).toEqual([...ofTheMachine, ...(most < 1_000_000 ? ['nofile'] : [])].sort())
    const after = await kernelOf(Object.keys(guideKernel))
    for (const key of ofTheHost) expect([key, after[key]]).toEqual([key, guideKernel[key]])
    for (const key of ofTheMachine) expect([key, after[key]]).toEqual([key, before.kernel[key]])
  })

  test('is complete without those, and a running service has it after a restart', async () => {
    const applied = await netops('tune', 'apply', '--json', ...complete())
    expect(applied).toMatchObject({ code: 0, json: { hosts: [{ outcome: 'done' }] } })
    expect(applied.json.hosts?.[0]?.pending).toContain('nproc')
    expect((await netops('tune', 'verify', '--json')).code).toBe(9)
    const restarted = await netops('tune', 'apply', '--json', ...complete(), '--restart', ...quick)
    expect(restarted).toMatchObject({ code: 0, json: { hosts: [{ outcome: 'done', changed: true, pending: [] }] } })
    const shown = await on('systemctl', 'show', '-p', 'LimitNOFILE,LimitNPROC', 'network_service')
    expect(shown.stdout.trim().split('\n').sort()).toEqual([`LimitNOFILE=${most}`, 'LimitNPROC=32768'])
    const cores = Number((await on('nproc')).stdout)
    expect(await runningWith()).toEqual({
      nofile: String(most),
      nproc: '32768',
      environment: [
        'NETWORK_PERFORMANCE_CONNECTION_POOL_SIZE=100',
        `NETWORK_SERVER_WORKER_THREADS=${Math.min(64, Math.max(4, 2 * cores))}`,
      ],
    })
    expect(await netops('tune', 'verify')).toMatchObject({ code: 0 })
    expect((await netops('health')).code).toBe(0)
  })

  test('gives sessions of the account the limits too', async () => {
    const { code, stdout } = await on(
      'su',
      '-s',
      '/bin/bash',
      'network_service',
      '-c',
      'ulimit -Sn; ulimit -Hn; ulimit -u',
    )
    expect({ code, limits: stdout.trim().split('\n') }).toEqual({
      code: 0,
      limits: [String(most), String(most), '32768'],
    })
  })

  test('once more changes nothing', async () => {
    const files = settled(await listing())
    expect(await netops('tune', 'apply', '--json', ...complete(), '--restart')).toMatchObject({
      code: 0,
      json: { hosts: [{ changed: false }] },
    })
    expect(settled(await listing())).toEqual(files)
  })

  test('names the file that wins over it, and the one that loses', async () => {
    await put('/etc/sysctl.d/99-other.conf', '# somebody else\n\nnet.core.somaxconn = 128\n')
    await put('/usr/lib/sysctl.d/10-vendor.conf', 'net/ipv4/tcp_fin_timeout = 20\n')
    await put('/etc/systemd/system/network_service.service.d/99-other.conf', '[Service]\nLimitNOFILE=2000\n')
    await on('systemctl', 'daemon-reload')
    const applied = await netops('tune', 'apply', '--json', ...complete())
    expect(applied).toMatchObject({ code: 3 })
    expect(applied.json.hosts?.[0]?.problems).toEqual([
      'net.core.somaxconn: /etc/sysctl.d/99-other.conf:3 says 128 and wins at the next start of the host',
      'nofile: /etc/systemd/system/network_service.service.d/99-other.conf:2 says 2000 and wins for the service',
    ])
    expect((await netops('tune', 'apply', ...complete())).stdout).toContain(
      'net.ipv4.tcp_fin_timeout: /usr/lib/sysctl.d/10-vendor.conf:1 says 20 and loses',
    )
    const verified = await netops('tune', 'verify', '--json')
    expect(verified.code).toBe(9)
    expect(JSON.stringify(verified.json.hosts)).toContain('/etc/sysctl.d/99-other.conf:3 says 128 and wins')
    await on('rm', '/etc/sysctl.d/99-other.conf', '/usr/lib/sysctl.d/10-vendor.conf')
    await on('rm', '/etc/systemd/system/network_service.service.d/99-other.conf')
    await on('systemctl', 'daemon-reload')
    expect(await netops('tune', 'verify')).toMatchObject({ code: 0 })
  })

  test('reports a key that the kernel lacks, and sets the rest', async () => {
    const applied = await netops('tune', 'apply', '--json', ...complete(), '--set', 'net.core.no_such_key=1')
    expect(applied).toMatchObject({ code: 3 })
    expect(namesIn(applied)).toEqual(['net.core.no_such_key'])
  })

  test('with a value that the kernel refuses is taken back, and names the key and what the kernel said', async () => {
    const [files, kernel] = [settled(await listing()), await kernelOf(ofTheHost)]
    const words = ['--set', 'net.ipv4.tcp_keepalive_time=250', '--set', 'net.ipv4.ip_local_port_range=60000 50000']
    const refused = await netops('tune', 'apply', '--json', ...complete(), ...words)
    expect(refused).toMatchObject({ code: 1, json: { hosts: [{ outcome: 'failed', changed: false }] } })
    expect(refused.json.error?.message).toMatch(/net\.ipv4\.ip_local_port_range.*Invalid argument/)
    expect(await kernelOf(ofTheHost)).toEqual(kernel)
    const timeless = (of: Listing) =>
      Object.entries(of).map(([path, about]) => [path, about.replace(/ \d+\.\d+ /, ' ')])
    expect(timeless(settled(await listing()))).toEqual(timeless(files))
  })

  test('is found out when a value or a file is changed behind its back', async () => {
    await on('sysctl', '-q', '-w', 'net.ipv4.tcp_fin_timeout=59')
    await on('sed', '-i', 's/32768/99/', paths.limitsDropIn)
    const verified = await netops('tune', 'verify', '--json')
    expect(verified).toMatchObject({ code: 9 })
    const drift = verified.json.hosts?.[0]?.drift as { what: string; found: string }[]
    expect(drift.map(({ what }) => what).sort()).toEqual([paths.limitsDropIn, 'net.ipv4.tcp_fin_timeout'])
    expect(await netops('tune', 'apply', ...complete())).toMatchObject({ code: 0 })
    expect(await netops('tune', 'verify')).toMatchObject({ code: 0 })
  })

  test('is taken back exactly', async () => {
    const shown = await netops('tune', 'revert', '--dry-run')
    expect(shown).toMatchObject({ code: 0, stdout: expect.stringContaining('sysctl -q -w') as string })
    const reverted = await netops('tune', 'revert', '--json', '--restart', ...quick)
    expect(reverted).toMatchObject({ code: 0, json: { hosts: [{ outcome: 'done', remains: [], pending: [] }] } })
    expect(settled(await listing())).toEqual(settled(before.files))
    expect(await kernelOf(Object.keys(guideKernel))).toEqual(before.kernel)
    expect((await runningWith()).environment).toEqual([])
    expect((await on('systemctl', 'is-system-running')).stdout).toBe('running\n')
    expect(await netops('tune', 'verify')).toMatchObject({ code: 7 })
  })
})

/** An operator's netops that dies when the host is about to begin; returns the run and what the host was to be asked. */
async function orderOnly(...words: string[]): Promise<{ run: string; job: HostRunEffect }> {
  const runs = join(folder, 'state', 'runs')
  const before = new Set(await readdir(runs))
  const argv = [inject('builds').netops, 'tune', ...words, '--inventory', lab().inventory]
  const env = { NETOPS_STATE_DIR: join(folder, 'state'), NETOPS_FAULT: 'kill-after:begin:web1/tune' }
  expect(await exec(argv, { env, timeoutMs: 120_000 })).toMatchObject({ code: 137 })
  const run = (await readdir(runs)).find((name) => !before.has(name)) ?? ''
  const begun = (await readRecords(join(runs, run, 'journal.jsonl'))).find((record) => record.type === 'run')
  const [job] = begun === undefined ? [] : stepsOf(begun.plan).flatMap(({ act }) => act.filter(isHostRun))
  if (job === undefined) throw new Error('the plan has no part for the host')
  return { run, job }
}

/** Goes on with a run, whose journal knows its hosts. */
async function resume(run: string): Promise<void> {
  const env = { NETOPS_STATE_DIR: join(folder, 'state') }
  const resumed = await exec([inject('builds').netops, 'runs', 'resume', run], { env, timeoutMs: 120_000 })
  expect(resumed).toMatchObject({ code: 0 })
}

const isHostRun = (effect: Effect): effect is HostRunEffect => effect.kind === 'host-run'

/** Starts the host's part as the operator would have, under a fault, and returns its journal when its process is gone. */
async function hostPart(job: HostRunEffect, fault?: string): Promise<readonly JournalRecord[]> {
  if (fault !== undefined) await on('systemctl', 'set-environment', `NETOPS_FAULT=${fault}`)
  try {
    const start = [job.netops, 'host', 'start', job.run, '--root', job.root]
    expect(await execOnHost(host('web1'), start, { stdin: { text: JSON.stringify(job.input) } })).toMatchObject({
      code: 0,
    })
  } finally {
    await on('systemctl', 'unset-environment', 'NETOPS_FAULT')
  }
  await until(async () => (await on('systemctl', 'is-active', `netops-${job.run}.service`)).code !== 0)
  return readRecords(join(await hostRoot(host('web1')), paths.runs, job.run, 'journal.jsonl'))
}

describe('netops on the host, killed while it sets the kernel', () => {
  test('goes on to what was asked, forward and back', { timeout: 300_000 }, async () => {
    const before = await kernelOf(ofTheHost)
    const wanted = Object.fromEntries(ofTheHost.map((key) => [key, guideKernel[key]]))
    const goOn = async ({ run, job }: { run: string; job: HostRunEffect }, fault: string) => {
      const cut = await hostPart(job, fault)
      expect(cut.some((record) => record.type === 'end')).toBe(false)
      await resume(run)
      const records = await readRecords(join(await hostRoot(host('web1')), paths.runs, job.run, 'journal.jsonl'))
      expect(records.filter((record) => isStep(record, 'sysctl', 'done'))).toHaveLength(1)
    }
    const apply = await orderOnly('apply', ...complete())
    await hostPart(apply.job)
    await resume(apply.run)
    const revert = await orderOnly('revert')
    await hostPart(revert.job)
    await resume(revert.run)
    expect(await kernelOf(ofTheHost)).toEqual(before)
    for (const moment of ['begin', 'done'] as const) {
      // After the record that says the step begins nothing is set yet; before the one that says it is done, everything is.
      const fault = moment === 'begin' ? 'kill-after:begin:sysctl' : 'kill-before:done:sysctl'
      await goOn(await orderOnly('apply', ...complete()), fault)
      expect(await kernelOf(ofTheHost)).toEqual(wanted)
      expect(await netops('tune', 'apply', '--json', ...complete())).toMatchObject({
        code: 0,
        json: { hosts: [{ changed: false }] },
      })
      await goOn(await orderOnly('revert'), fault)
      expect(await kernelOf(ofTheHost)).toEqual(before)
      expect(await netops('tune', 'verify')).toMatchObject({ code: 7 })
    }
  })
})

describe("this machine's own kernel", () => {
  test('takes all eleven keys of the guide, and gets its own values back', async () => {
    const connection = connectLocal('here')
    const root = join(folder, 'root')
    // Its files are of no interest here: they lie below a folder, while the kernel is the machine's.
    const services = processServices(root, 'netops')
    const order = tuneOrder({ host: 'here', root, manager: 'systemd' })
    const facts = await readTuningFacts(readerOver(connection), services, order)
    const sysctl = stepsOf(planTuning(order, facts, tuningTemplates())).find(({ id }) => id === 'sysctl')
    if (sysctl === undefined) throw new Error('there is no step sysctl')
    const read = async () =>
      Object.fromEntries(
        await Promise.all(
          Object.keys(guideKernel).map(async (key) => [key, plainSysctl(await readFile(sysctlPath(key), 'utf8'))]),
        ),
      ) as Record<string, string>
    const before = await read()
    const perform = async (effects: Step['act']) => {
      for (const effect of effects) {
        if (effect.kind === 'sysctl') await applyCommands(connection, commandsOf(effect))
      }
    }
    try {
      await perform(sysctl.act)
      expect(await read()).toEqual(guideKernel)
      if (sysctl.until === undefined) throw new Error('nothing reads back')
      expect(
        await askProbe(
          lazyHost('here', services, () => Promise.resolve(connection)),
          sysctl.until.probe,
        ),
      ).toMatchObject({ ok: true })
    } finally {
      await perform(sysctl.undo)
    }
    expect(await read()).toEqual(before)
  })
})
