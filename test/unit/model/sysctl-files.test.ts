import { describe, expect, test } from 'vitest'
import { sysctlName, sysctlPath } from '../../../src/model/sysctl.ts'
import { filesInOrder, settersOf, type ConfFile } from '../../../src/model/sysctl-files.ts'

const folders = ['/etc/sysctl.d', '/run/sysctl.d', '/usr/local/lib/sysctl.d', '/usr/lib/sysctl.d']
const file = (path: string, ...lines: string[]): ConfFile => ({ path, text: `${lines.join('\n')}\n` })
const winnerOf = (key: string, ...files: ConfFile[]): string | undefined => {
  const { winner } = settersOf(key, filesInOrder(files, folders))
  return winner && `${winner.path}:${winner.line} ${winner.value}`
}

describe('the files that count', () => {
  test('are read by name, whatever folder they lie in, and only those named .conf', () => {
    const files = [
      '/usr/lib/sysctl.d/99-a.conf',
      '/etc/sysctl.d/50-b.conf',
      '/run/sysctl.d/10-c.conf',
      '/etc/sysctl.d/README',
    ]
    expect(
      filesInOrder(
        files.map((path) => file(path)),
        folders,
      ).map(({ path }) => path),
    ).toEqual(['/run/sysctl.d/10-c.conf', '/etc/sysctl.d/50-b.conf', '/usr/lib/sysctl.d/99-a.conf'])
  })

  test('are those of the first folder where names are the same', () => {
    const files = folders.toReversed().map((folder, index) => file(`${folder}/50-same.conf`, `a.b = ${index}`))
    expect(filesInOrder(files, folders).map(({ path }) => path)).toEqual(['/etc/sysctl.d/50-same.conf'])
  })

  test('are empty where they are masked', () => {
    const masked: ConfFile = { path: '/etc/sysctl.d/50-vendor.conf', text: '' }
    expect(winnerOf('a.b', file('/usr/lib/sysctl.d/50-vendor.conf', 'a.b = 1'), masked)).toBeUndefined()
  })

  test('do not lie in folders below', () => {
    expect(filesInOrder([file('/etc/sysctl.d/old/99-x.conf', 'a.b = 1')], folders)).toEqual([])
  })
})

describe('the line with the last word', () => {
  const ours = file('/etc/sysctl.d/90-network-system.conf', 'net.core.somaxconn = 65535')
  test.each<[string, ConfFile, string]>([
    [
      'in a later file',
      file('/usr/lib/sysctl.d/99-x.conf', '# c', '; c', '', 'net.core.somaxconn=1'),
      '/usr/lib/sysctl.d/99-x.conf:4 1',
    ],
    ['with slashes', file('/etc/sysctl.d/99-x.conf', 'net/core/somaxconn = 2'), '/etc/sysctl.d/99-x.conf:1 2'],
    ['with a dash', file('/etc/sysctl.d/99-x.conf', '- net.core.somaxconn = 3'), '/etc/sysctl.d/99-x.conf:1 3'],
    [
      'the last of a file',
      file('/etc/sysctl.d/99-x.conf', 'net.core.somaxconn = 3', 'net.core.somaxconn = 4'),
      '/etc/sysctl.d/99-x.conf:2 4',
    ],
    ['ours, over an earlier file', file('/etc/sysctl.d/10-x.conf', 'net.core.somaxconn = 1'), `${ours.path}:1 65535`],
    [
      'ours, over a wildcard in a later file',
      file('/etc/sysctl.d/99-x.conf', 'net.core.* = 1'),
      `${ours.path}:1 65535`,
    ],
    ['ours, over another key', file('/etc/sysctl.d/99-x.conf', 'net.core.somaxconn.x = 1'), `${ours.path}:1 65535`],
    [
      'ours, over a word without a value',
      file('/etc/sysctl.d/99-x.conf', 'net.core.somaxconn'),
      `${ours.path}:1 65535`,
    ],
  ])('is %s', (_, other, expected) => {
    expect(winnerOf('net.core.somaxconn', ours, other)).toBe(expected)
  })

  test.each<[string, string, boolean]>([
    ['net.ipv4.conf.*.rp_filter', 'net.ipv4.conf.eth0.rp_filter', true],
    ['net.ipv4.conf.eth?.rp_filter', 'net.ipv4.conf.eth0.rp_filter', true],
    ['net.ipv4.conf.eth[0-3].rp_filter', 'net.ipv4.conf.eth2.rp_filter', true],
    ['net.ipv4.conf.eth[!0].rp_filter', 'net.ipv4.conf.eth0.rp_filter', false],
    ['net.ipv4.*', 'net.ipv4.conf.eth0.rp_filter', false],
    ['net.ipv4.conf.[z-a].rp_filter', 'net.ipv4.conf.eth0.rp_filter', false],
    ['net.ipv4.conf.eth(.rp_filter', 'net.ipv4.conf.eth0.rp_filter', false],
  ])('may be a wildcard: %s sets %s: %s', (pattern, key, sets) => {
    expect(winnerOf(key, file('/etc/sysctl.d/1.conf', `${pattern} = 1`)) !== undefined).toBe(sets)
  })

  test('is none for a key that is excluded from wildcards', () => {
    const text = ['net.ipv4.conf.*.rp_filter = 2', '-net.ipv4.conf.eth0.rp_filter']
    expect(winnerOf('net.ipv4.conf.eth0.rp_filter', file('/etc/sysctl.d/1.conf', ...text))).toBeUndefined()
    expect(winnerOf('net.ipv4.conf.eth1.rp_filter', file('/etc/sysctl.d/1.conf', ...text))).toBe(
      '/etc/sysctl.d/1.conf:1 2',
    )
  })

  test('leaves the others to be named', () => {
    const { others } = settersOf('net.core.somaxconn', [
      file('/etc/sysctl.d/10-x.conf', 'net.core.somaxconn = 1'),
      ours,
    ])
    expect(others).toMatchObject([{ path: '/etc/sysctl.d/10-x.conf', line: 1, value: '1' }])
  })
})

test.each([
  ['net.core.somaxconn', '/proc/sys/net/core/somaxconn', 'net.core.somaxconn'],
  ['net/core/somaxconn', '/proc/sys/net/core/somaxconn', 'net.core.somaxconn'],
  [
    'net/ipv4/conf/eth0.100/forwarding',
    '/proc/sys/net/ipv4/conf/eth0.100/forwarding',
    'net.ipv4.conf.eth0/100.forwarding',
  ],
  [
    'net.ipv4.conf.eth0/100.forwarding',
    '/proc/sys/net/ipv4/conf/eth0.100/forwarding',
    'net.ipv4.conf.eth0/100.forwarding',
  ],
])('%s lies at %s and is called %s', (key, path, name) => {
  expect([sysctlPath(key), sysctlName(key)]).toEqual([path, name])
})
