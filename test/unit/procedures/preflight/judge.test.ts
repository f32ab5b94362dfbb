import { describe, expect, test } from 'vitest'
import type { PreflightFacts } from '../../../../src/procedures/preflight/facts.ts'
import { judgeHost, type PreflightTarget } from '../../../../src/procedures/preflight/judge.ts'
import { fitFacts, lookOf } from '../../../support/preflight.ts'

const wish = (changes: Partial<PreflightTarget> = {}): PreflightTarget => ({
  release: { platform: 'linux-x64', size: 130e6 },
  configured: { ports: [8080, 9090], names: [] },
  environment: undefined,
  unreached: new Set(),
  others: 0,
  ...changes,
})

const saidBy = (check: string, facts: PreflightFacts, wanted: PreflightTarget) =>
  judgeHost('web1', facts, wanted)
    .filter((one) => one.check === check)
    .map(({ kind, message }) => `${kind}: ${message}`)

const look = (section: string, text: string): PreflightFacts => fitFacts(lookOf({ [section]: text }))
const disks = (releases: string): PreflightFacts =>
  look('disks', `releases ${releases} /opt\ndata 9000000000 9000000000 0 0 /\nlogs 9000000000 9000000000 0 0 /`)
const restOfDisk = 'good: 9.0 GB free on / (data, logs)'
const running = { service: { ...fitFacts().service, state: 'running' as const } }
const listening = 'LISTEN 0 5 0.0.0.0:8080 0.0.0.0:* users:(("nginx",pid=7,fd=6))'
const peer = { host: 'web2', address: '10.0.0.2', port: 22 }
const tried = (answer: PreflightFacts['network']['peers'][number]['answer']): PreflightFacts =>
  fitFacts({ network: { ...fitFacts().network, peers: [{ peer, answer }] } })
const clock = (offsetMs: number, roundTripMs = 0, changes: Partial<PreflightFacts> = {}): PreflightFacts =>
  fitFacts({ clock: { offsetMs, roundTripMs }, ...changes })
const names = (own: boolean | undefined, found: boolean): PreflightFacts =>
  fitFacts({
    network: {
      own: own === undefined ? undefined : { name: 'web1', found: own },
      names: [{ name: 'db', found }],
      peers: [],
    },
  })

const table: readonly (readonly [string, PreflightFacts, Partial<PreflightTarget>, readonly string[]])[] = [
  ['platform', fitFacts(), {}, ['good: linux-x64, glibc 2.36']],
  ['platform', look('system', 'Linux\naarch64\n6.1'), { release: undefined }, ['good: linux-arm64, glibc 2.36']],
  ['platform', look('system', 'Linux\nriscv64\n6.1'), {}, ['problem: the host is Linux on riscv64']],
  ['platform', look('system', 'FreeBSD\nx86_64\n14'), {}, ['problem: the host is FreeBSD on x86_64']],
  [
    'platform',
    look('system', 'Linux\naarch64\n6.1'),
    {},
    ['problem: the release is built for linux-x64, the host is linux-arm64'],
  ],
  [
    'platform',
    fitFacts(),
    { release: { platform: undefined, size: 1, needs: { machine: 'aarch64' } } },
    ['problem: the release is a program for aarch64, the host is x86_64'],
  ],
  [
    'platform',
    fitFacts({ lacking: ['the library libq.so.6'] }),
    {},
    ['problem: the release cannot run here, the host lacks the library libq.so.6'],
  ],
  ['platform', look('system', ''), {}, ['problem: the host is unknown on an unknown machine']],
  ['platform', look('glibc', 'glibc 2.27'), {}, ['problem: glibc is 2.27']],
  ['platform', look('glibc', ''), {}, ['problem: getconf GNU_LIBC_VERSION names no glibc']],
  [
    'platform',
    look('libraries', ''),
    {},
    ['problem: libstdc++.so.6 and libgcc_s.so.1 missing, without which no executable of ours starts'],
  ],

  ['commands', fitFacts(), {}, ['good: every command that netops calls is there']],
  ['commands', look('missing', 'dd\nuseradd'), {}, ['problem: missing: dd, useradd']],

  ['cpu', look('cpus', '1'), {}, ['good: 1 processor']],
  ['cpu', look('quota', '50000 100000'), {}, ['warning: 0.5 processors, 1 is the least that is recommended']],
  ['cpu', look('cpus', ''), {}, ['warning: the host does not say how many processors it has']],

  ['memory', fitFacts(), {}, ['good: 2929 MiB of 3906 MiB memory available']],
  [
    'memory',
    fitFacts({ memory: { total: 2 ** 30, available: 511 * 2 ** 20 } }),
    {},
    ['warning: 511 MiB of 1024 MiB memory available, 512 MiB are recommended'],
  ],
  [
    'memory',
    fitFacts({ memory: { total: 2 ** 30, available: 127 * 2 ** 20 } }),
    {},
    ['problem: 127 MiB of 1024 MiB memory available, under 128 MiB the service would be killed'],
  ],
  ['memory', look('memory', ''), {}, ['warning: the host does not say how much memory it has']],

  ['disk', fitFacts(), {}, ['good: 80.0 GB free on / (releases, data)', 'good: 50.0 GB free on /var/log (logs)']],
  ['disk', disks('260000000 270000000 0 0'), {}, ['good: 260.0 MB free on /opt (releases)', restOfDisk]],
  [
    'disk',
    disks('259999999 270000000 0 0'),
    {},
    ['problem: 260.0 MB free on /opt (releases), 260.0 MB are needed', restOfDisk],
  ],
  [
    'disk',
    disks('200000000 270000000 0 0'),
    { release: undefined },
    ['problem: 200.0 MB free on /opt (releases), 260.0 MB are needed for a release of the usual size', restOfDisk],
  ],
  [
    'disk',
    { ...disks('200000000 270000000 0 0'), releaseBytes: 130e6 },
    {},
    ['good: 200.0 MB free on /opt (releases)', restOfDisk],
  ],
  [
    'disk',
    disks('999999999 10000000000 0 0'),
    {},
    ['warning: 1000.0 MB free on /opt (releases), less than 10%', restOfDisk],
  ],
  [
    'disk',
    disks('9000000000 9000000000 99 100'),
    {},
    ['problem: room for 99 files on /opt (releases), 100 are needed', restOfDisk],
  ],
  [
    'disk',
    disks('9000000000 9000000000 999 10000'),
    {},
    ['warning: room for 999 files on /opt (releases), less than 10%', restOfDisk],
  ],
  [
    'disk',
    look('disks', ''),
    {},
    ['releases', 'data', 'logs'].map((place) => `warning: df does not say how much is free where ${place} lie`),
  ],

  ['configuration', fitFacts(), {}, ['good: a valid configuration, with 2 ports']],
  [
    'configuration',
    fitFacts(),
    { configured: { missing: 'there is none', remedy: 'name one' } },
    ['problem: there is none'],
  ],

  ['ports', fitFacts(), {}, ['good: port 8080 is free', 'good: port 9090 is free']],
  ['ports', fitFacts(), { configured: { missing: 'there is none', remedy: 'name one' } }, []],
  [
    'ports',
    look('listeners', listening),
    {},
    ['problem: port 8080 is in use by nginx (pid 7)', 'good: port 9090 is free'],
  ],
  [
    'ports',
    { ...look('listeners', listening), ownPorts: [8080] },
    {},
    ['problem: port 8080 is in use by nginx (pid 7)', 'good: port 9090 is free'],
  ],
  [
    'ports',
    { ...look('listeners', listening), ownPorts: [8080], ...running },
    {},
    ['good: port 8080 is in use by our own service', 'good: port 9090 is free'],
  ],
  [
    'ports',
    { ...look('listeners', listening), ownPorts: [9090], ...running },
    {},
    ['problem: port 8080 is in use by nginx (pid 7)', 'good: port 9090 is free'],
  ],
  [
    'ports',
    fitFacts({ listeners: [8080, 9090].map((port) => ({ port, process: 'systemd (pid 1)' })), ownPorts: [8080] }),
    {},
    ['good: port 8080 is held for our own service', 'problem: port 9090 is in use by systemd (pid 1)'],
  ],
  [
    'ports',
    fitFacts({ listeners: [{ port: 9090, process: undefined }] }),
    {},
    ['good: port 8080 is free', 'problem: port 9090 is in use by something else'],
  ],
  ['ports', look('listeners', ''), {}, ['warning: the host does not say on which ports something listens']],

  ['clock', clock(-900), {}, ['good: the clock agrees with this machine and follows a time source']],
  ['clock', clock(0, 0, { synchronised: undefined }), {}, ['good: the clock agrees with this machine']],
  [
    'disk',
    look('mounts', '36 35 98:0 / / rw shared:1 - ext4 /dev/sda1 rw\n40 36 98:0 / / rw,noexec - ext4 /dev/sda1 rw'),
    {},
    ['problem: / is mounted noexec, and releases are to run from there', 'good: 50.0 GB free on /var/log (logs)'],
  ],
  ['clock', clock(1001), {}, ["warning: the clock is 1.0 s ahead of this machine's"]],
  // The round trip may be all of it.
  ['clock', clock(1900, 2000), {}, ['good: the clock agrees with this machine and follows a time source']],
  ['clock', clock(-29_000), {}, ["warning: the clock is 29.0 s behind this machine's"]],
  ['clock', clock(-31_000), {}, ["problem: the clock is 31.0 s behind this machine's"]],
  [
    'clock',
    clock(0, 0, { synchronised: false }),
    {},
    ['warning: the clock agrees with this machine, and follows no time source'],
  ],
  ['clock', fitFacts({ clock: undefined }), {}, ['warning: the host does not tell its time: date +%s.%N']],

  ['dns', fitFacts(), {}, ['good: it resolves its own name']],
  ['dns', names(true, true), {}, ['good: it resolves 2 names']],
  ['dns', names(true, false), {}, ['problem: the host cannot resolve db, which the configuration names']],
  ['dns', names(false, true), {}, ['warning: the host cannot resolve its own name, web1']],
  ['dns', names(undefined, true), {}, ['warning: the host does not say what its own name is']],

  ['peers', fitFacts(), {}, ['good: no other host is part of this run']],
  ['peers', tried('reached'), { others: 1 }, ['good: it reaches 1 other host']],
  ['peers', tried('reached'), { others: 99 }, ['good: it reaches 1 other host of 99, chosen evenly']],
  ['peers', tried('blind'), { others: 1 }, ['warning: other hosts were not tried: that takes bash and timeout']],
  [
    'peers',
    tried('silent'),
    { others: 1 },
    ['problem: web2 (10.0.0.2 port 22) does not answer within 3 s from this host'],
  ],
  ['peers', tried('refused'), { others: 1 }, ['problem: web2 (10.0.0.2 port 22) cannot be reached from this host']],
  [
    'peers',
    tried('silent'),
    { others: 1, unreached: new Set(['web2']) },
    ['warning: web2 (10.0.0.2 port 22) does not answer this host either'],
  ],

  ['privileges', fitFacts(), {}, ['good: root']],
  ['privileges', look('user', '1000\nada'), {}, ['problem: ada is not root and may not use sudo without a password']],
  [
    'privileges',
    look('user', '1000\nada\nsudo'),
    {},
    ['problem: ada is not root, and netops was not told to use sudo'],
  ],
  ['privileges', look('user', ''), {}, ['problem: the login is not root and may not use sudo without a password']],

  ['systemd', fitFacts(), {}, ['good: systemd 252 runs']],
  ['systemd', look('systemd', ''), {}, ['problem: systemd does not run this host']],
  ['systemd', look('systemd', 'booted\nsystemd 239\nrunning'), {}, ['problem: systemd is 239']],
  ['systemd', look('systemd', 'booted\nsystemd 252\nstarting'), {}, ['warning: the host is still starting']],
  ['systemd', look('systemd', 'booted\nsystemd 252\nstopping'), {}, ['problem: systemd is stopping']],
  ['systemd', look('systemd', 'booted\nsystemd 252'), {}, ['problem: systemd is silent']],
  [
    'systemd',
    fitFacts(lookOf({ systemd: 'booted\nsystemd 252\ndegraded', failed: 'a.service x\nb.service x' })),
    {},
    ['warning: degraded: a.service, b.service failed'],
  ],

  ['kernel', fitFacts(), {}, ['good: 6.1.0-18-amd64, cgroup v2, somaxconn 4096']],
  ['kernel', look('kernel', 'tmpfs\n128'), {}, ['good: 6.1.0-18-amd64, cgroup v1, somaxconn 128']],
  ['kernel', look('system', 'Linux\nx86_64\n4.17.9'), {}, ['problem: the kernel is 4.17.9']],
  ['kernel', look('system', ''), {}, ['warning: the host does not say what its kernel is: uname -r']],
  [
    'kernel',
    look('kernel', 'sysfs'),
    {},
    [
      'warning: no control groups at /sys/fs/cgroup: limits of the service have no effect',
      'warning: net.core.somaxconn cannot be read: it cannot be tuned',
    ],
  ],

  ['security', fitFacts(), {}, ['good: SELinux is not enforcing, AppArmor is there and does not confine the service']],
  [
    'security',
    look('selinux', '1'),
    {},
    ['warning: SELinux is enforcing, and netops brings no policy: it may keep the service from its files and ports'],
  ],

  ['environment', fitFacts(), {}, ['good: not marked']],
  ['environment', fitFacts(), { environment: 'staging' }, ['good: not marked; a first deployment marks it as staging']],
  ['environment', fitFacts({ environment: 'staging' }), { environment: 'staging' }, ['good: marked as staging']],
  [
    'environment',
    fitFacts({ environment: 'production' }),
    { environment: 'staging' },
    ['problem: the host is marked as production, and the fleet file is for staging'],
  ],
]

test.each(table)('%s %#', (check, facts, changes, said) => {
  expect(saidBy(check, facts, wish(changes))).toEqual(said)
})

describe('every check', () => {
  const covered = new Set(table.map(([check]) => check))
  const all = new Set(judgeHost('web1', fitFacts(), wish()).map(({ check }) => check))

  test('is in the table, good and otherwise', () => {
    expect(covered).toEqual(all)
    for (const check of all) {
      const kinds = table.flatMap(([name, , , said]) => (name === check ? said.map((text) => text.split(':')[0]) : []))
      expect([check, kinds.includes('good'), kinds.some((kind) => kind !== 'good')]).toEqual([check, true, true])
    }
  })

  test('is passed by a host that is fit', () => {
    expect(judgeHost('web1', fitFacts(), wish()).filter(({ kind }) => kind !== 'good')).toEqual([])
  })

  test('says what to do about each problem', () => {
    for (const [, facts, changes] of table) {
      const problems = judgeHost('web1', facts, wish(changes)).filter(({ kind }) => kind === 'problem')
      for (const { remedy } of problems) expect(remedy).toMatch(/\S/)
    }
  })
})
