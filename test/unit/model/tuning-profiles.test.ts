import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { guideKernel, lowers, namesOf, wantedSettings } from '../../../src/model/tuning-profiles.ts'
import { kindOf, tuningProfiles, type TuningOptions } from '../../../src/model/tuning.ts'

const GiB = 2 ** 30
const wish = (changes: Partial<TuningOptions> = {}): TuningOptions => ({
  profile: 'guide',
  skip: [],
  set: {},
  ...changes,
})
const small = { cores: 2, memoryBytes: 4 * GiB }
const valuesOf = (given: TuningOptions, size = small, before: Record<string, string> = {}) =>
  Object.fromEntries(wantedSettings(given, size, (key) => before[key]).map(({ name, value }) => [name, value]))

describe('the profile of the guide', () => {
  test('holds its kernel parameters word for word', () => {
    const file = readFileSync(join(import.meta.dirname, '../../fixtures/tuning/guide-sysctl.conf'), 'utf8')
    const lines = file.split('\n').flatMap((line) => {
      const [, key, value] = /^(\S+) = (.*)$/.exec(line) ?? []
      return key === undefined || value === undefined ? [] : [[key, value]]
    })
    expect(lines).toHaveLength(11)
    expect(Object.entries(guideKernel)).toEqual(lines)
  })

  test('has its limits, its rule for threads and its pool', () => {
    expect(valuesOf(wish())).toEqual({
      ...guideKernel,
      nofile: '1000000',
      nproc: '32768',
      'server.worker_threads': '4',
      'performance.connection_pool_size': '100',
    })
    expect(valuesOf(wish(), { cores: 16, memoryBytes: GiB })['server.worker_threads']).toBe('32')
  })
})

describe('the sized profile', () => {
  const sized = wish({ profile: 'sized' })
  test.each<[string, number, number, Record<string, string>]>([
    [
      'a small host',
      2,
      2 * GiB,
      {
        'net.core.somaxconn': '4096',
        'net.core.netdev_max_backlog': '4096',
        'fs.file-max': '209715',
        'fs.nr_open': '1048576',
        nofile: '65536',
        'server.max_connections': '1000',
      },
    ],
    [
      'a large host',
      16,
      32 * GiB,
      {
        'net.core.somaxconn': '16384',
        'net.core.netdev_max_backlog': '32768',
        'net.ipv4.tcp_max_syn_backlog': '16384',
        'fs.file-max': '3355443',
        nofile: '65536',
        'server.max_connections': '10000',
        'performance.buffer_size': '1048576',
      },
    ],
    [
      'a very large host',
      128,
      1024 * GiB,
      {
        'net.core.somaxconn': '32768',
        'net.core.netdev_max_backlog': '65535',
        nofile: '131072',
        'server.worker_threads': '64',
      },
    ],
  ])('fits %s', (_, cores, memoryBytes, expected) => {
    expect(valuesOf(sized, { cores, memoryBytes })).toMatchObject(expected)
  })

  test('never lowers what the kernel chose, also beyond exact numbers', () => {
    const before = { 'fs.file-max': '9223372036854775807', 'fs.nr_open': '1073741816' }
    expect(valuesOf(sized, small, before)).toMatchObject(before)
  })

  test('keeps to its bounds and allows the service no more files than the system, whatever the size', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1024 }),
        fc.integer({ min: 2 ** 26, max: 2 ** 43 }),
        (cores, memoryBytes) => {
          const values = valuesOf(sized, { cores, memoryBytes })
          const number = (name: string): number => Number(values[name])
          expect(number('net.core.somaxconn')).toBeGreaterThanOrEqual(4096)
          expect(number('net.core.somaxconn')).toBeLessThanOrEqual(65_535)
          expect(number('net.core.somaxconn')).toBeGreaterThan(Math.min(65_534, number('server.max_connections')))
          expect(number('net.core.netdev_max_backlog')).toBeLessThanOrEqual(65_535)
          expect(number('nofile')).toBeLessThanOrEqual(number('fs.nr_open'))
          expect(number('nofile')).toBeLessThan(number('fs.file-max'))
        },
      ),
    )
  })
})

describe.each(tuningProfiles)('the profile %s', (profile) => {
  test('explains every value', () => {
    for (const { name, reason } of wantedSettings(wish({ profile }), small, () => undefined)) {
      expect([name, kindOf(name), reason.length > 10]).toEqual([name, expect.any(String), true])
    }
  })

  test('sets the same names on every host', () => {
    expect(Object.keys(valuesOf(wish({ profile }), { cores: 64, memoryBytes: 512 * GiB }))).toEqual(namesOf(profile))
  })

  test('gives way to what was set and leaves out what was skipped', () => {
    const values = valuesOf(wish({ profile, skip: ['vm.swappiness'], set: { 'fs.file-max': '7', 'net.core.x': '1' } }))
    expect(values).toMatchObject({ 'fs.file-max': '7', 'net.core.x': '1' })
    expect(values).not.toHaveProperty('vm.swappiness')
  })
})

test.each<[string, string, string | undefined, boolean]>([
  ['fs.file-max', '2097152', '9223372036854775807', true],
  ['fs.file-max', '2097152', '400000', false],
  ['fs.file-max', '2097152', undefined, false],
  ['vm.swappiness', '10', '60', false],
  ['net.ipv4.ip_local_port_range', '10000 65000', '32768 60999', false],
])('%s = %s where the kernel has %s lowers it: %s', (name, value, before, lower) => {
  expect(lowers({ name, value, reason: '' }, before)).toBe(lower)
})

test.each([
  ['net.core.somaxconn', 'kernel'],
  ['net/ipv4/conf/eth0.1/forwarding', 'kernel'],
  ['nofile', 'limit'],
  ['server.worker_threads', 'server'],
  ['server.worker_thread', undefined],
  ['somaxconn', undefined],
  ['net..core', undefined],
  ['net/../../etc/passwd', undefined],
  ['net.core.a b', undefined],
  ['-net.core.x', undefined],
  ['/net/core/x', undefined],
])('%s is of kind %s', (name, kind) => {
  expect(kindOf(name)).toBe(kind)
})
