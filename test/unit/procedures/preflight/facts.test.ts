import { describe, expect, test } from 'vitest'
import type { HostReader } from '../../../../src/drivers/hosts/port.ts'
import { systemd } from '../../../../src/drivers/services/systemd.ts'
import {
  mostPeers,
  parseNetwork,
  peersOf,
  readPreflightFacts,
  type Peer,
} from '../../../../src/procedures/preflight/facts.ts'
import { recordOf } from '../../../support/activation.ts'
import { lookOf } from '../../../support/preflight.ts'

const peer = (host: string): Peer => ({ host, address: `${host}.example`, port: 22 })

describe('what a host says of itself', () => {
  test('is read section by section', () => {
    expect(lookOf()).toMatchObject({
      uid: 0,
      user: 'root',
      sudo: false,
      system: 'Linux',
      machine: 'x86_64',
      kernel: '6.1.0-18-amd64',
      glibc: '2.36',
      libraries: ['libstdc++.so.6', 'libgcc_s.so.1'],
      missingCommands: [],
      cpus: 4,
      memory: { total: 4_096_000_000, available: 3_072_000_000 },
      listeners: [{ port: 22, process: 'sshd (pid 812)' }],
      synchronised: true,
      systemd: { version: 252, state: 'running' },
      failedUnits: [],
      cgroup: 'cgroup2fs',
      somaxconn: 4096,
      apparmor: true,
      selinux: false,
    })
    expect(lookOf().disks[0]).toEqual({
      place: 'releases',
      mount: '/',
      freeBytes: 8e10,
      bytes: 1e11,
      freeInodes: 900_000,
      inodes: 1_000_000,
    })
  })

  test.each<[string, string, string, object]>([
    ['another account with sudo', 'user', '1000\nada\nsudo', { uid: 1000, user: 'ada', sudo: true }],
    ['half a core in a container', 'quota', '50000 100000', { cpus: 0.5 }],
    ['a quota of version 1 that bounds nothing', 'quota', '-1 100000', { cpus: 4 }],
    ['a bound of memory', 'bound', '268435456\n68435456', { memory: { total: 268_435_456, available: 2e8 } }],
    ['a bound above what there is', 'bound', '9223372036854771712\n5', { memory: { total: 4_096_000_000 } }],
    ['no memory at all', 'memory', '', { memory: undefined }],
    ['a file system that counts no files', 'disks', 'logs 5 10 - - /l', { disks: [{ inodes: 0, freeInodes: 0 }] }],
    ['a mount with a space', 'disks', 'data 5 10 1 2 /my disk', { disks: [{ place: 'data', mount: '/my disk' }] }],
    ['a place that df does not know', 'disks', 'data ', { disks: [] }],
    ['the size of the release', 'release', '1234', { releaseBytes: 1234 }],
    ['our ports', 'record', JSON.stringify(recordOf('r', '1.0.0', 'a')), { ownPorts: [8080] }],
    [
      "our ports by the newest record in the host's own count",
      'record',
      [
        { ...recordOf('z', '1.0.0', 'a'), sequence: 1 },
        {
          ...recordOf('a', '1.0.0', 'a'),
          sequence: 2,
          endpoints: { ...recordOf('a', '1.0.0', 'a').endpoints, ports: [9999] },
        },
      ]
        .map((record) => JSON.stringify(record))
        .concat('', 'garbage')
        .join('\n'),
      { ownPorts: [9999] },
    ],
    ['the record of a newer netops', 'record', '{"schema":"netops/activation/v9"}', { ownPorts: [] }],
    [
      'listeners of IPv6, of an interface, of nobody we may see',
      'listeners',
      'LISTEN 0 5 [::]:80 [::]:*\nLISTEN 0 5 127.0.0.53%lo:53 0.0.0.0:*\nLISTEN 0 5 *:9 *:* users:(("a b",pid=3,fd=1))',
      { listeners: [{ port: 80 }, { port: 53 }, { port: 9, process: 'a b (pid 3)' }] },
    ],
    [
      'listeners by the kernel, where there is no ss',
      'listeners',
      '   0: 00000000:1F90 00000000:0000 0A 00000000:00000000',
      { listeners: [{ port: 8080, process: undefined }] },
    ],
    ['a clock without a source', 'synchronised', 'NTPSynchronized=no', { synchronised: false }],
    ['no word about the clock', 'synchronised', '', { synchronised: undefined }],
    ['a host without systemd', 'systemd', '', { systemd: undefined }],
    [
      'failed units',
      'failed',
      'a.service loaded failed failed A\nb.mount x',
      { failedUnits: ['a.service', 'b.mount'] },
    ],
    ['SELinux enforcing', 'selinux', '1', { selinux: true }],
    ['SELinux permissive', 'selinux', '0', { selinux: false }],
  ])('%s is read', (_, section, text, read) => {
    expect(lookOf({ [section]: text })).toMatchObject(read)
  })
})

describe('what a host says of its network', () => {
  const peers = [peer('web2'), peer('web3'), peer('web4')]

  test('is read in any order', () => {
    const text =
      'peer 124 web3.example 22\nname no gone\nown yes web1\npeer 0 web2.example 22\nname yes db\npeer 1 web4.example 22\n'
    expect(parseNetwork(text, ['db', 'gone'], peers)).toEqual({
      own: { name: 'web1', found: true },
      names: [
        { name: 'db', found: true },
        { name: 'gone', found: false },
      ],
      peers: [
        { peer: peer('web2'), answer: 'reached' },
        { peer: peer('web3'), answer: 'silent' },
        { peer: peer('web4'), answer: 'refused' },
      ],
    })
  })

  test('says when it had nothing to look with', () => {
    const { own, peers: tried } = parseNetwork('blind\n', [], peers)
    expect([own, ...tried.map(({ answer }) => answer)]).toEqual([undefined, 'blind', 'blind', 'blind'])
  })
})

describe('the other hosts that a host tries', () => {
  const names = (count: number) => Array.from({ length: count }, (_, index) => peer(`h${index}`))

  test('are all of a small fleet, beginning with the next', () => {
    expect(peersOf(names(4), 'h2').map(({ host }) => host)).toEqual(['h3', 'h0', 'h1'])
    expect(peersOf(names(1), 'h0')).toEqual([])
  })

  test('are a few of a large one, at even distances, and each is tried by as many', () => {
    const all = names(101)
    const tried = all.map(({ host }) => peersOf(all, host).map((one) => one.host))
    expect(tried[0]).toEqual(Array.from({ length: mostPeers }, (_, index) => `h${1 + 5 * index}`))
    for (const { host } of all) expect(tried.filter((hosts) => hosts.includes(host))).toHaveLength(mostPeers)
    for (const [index, hosts] of tried.entries()) expect(hosts).not.toContain(`h${index}`)
  })
})

test('the clock is compared by the quickest answer, alone, before all else', async () => {
  const asked: string[] = []
  // Each call takes 40, 10, 30 ms; the host is 5 s ahead.
  const times = [0, 40, 100, 110, 200, 230]
  const theirs = [5020, 5105, 5215]
  const reader: HostReader = {
    name: 'web1',
    readText: () => Promise.resolve(undefined),
    readLink: () => Promise.resolve(undefined),
    list: () => Promise.resolve([]),
    exists: () => Promise.resolve(false),
    sha256: () => Promise.resolve(undefined),
    query: (argv) => {
      asked.push(argv[0] ?? '')
      const stdout = argv[0] === 'date' ? `${(theirs.shift() ?? 0) / 1000}\n` : ''
      return Promise.resolve({ code: 0, stdout, stderr: '' })
    },
  }
  const facts = await readPreflightFacts(reader, systemd, {
    release: undefined,
    needs: undefined,
    names: [],
    peers: [],
    now: () => times.shift() ?? 0,
  })
  expect(facts.clock).toEqual({ offsetMs: 5000, roundTripMs: 10 })
  expect(asked).toEqual(['date', 'date', 'date', 'sh', 'sh', 'env'])
})
