import { describe, expect, test } from 'vitest'
import { parseTuningOptions } from '../../../../src/procedures/tune/options.ts'

const wish = (words: { skip?: string[]; set?: string[] }) =>
  parseTuningOptions({ profile: 'guide', skip: [], set: [], ...words })

describe('a wish for settings', () => {
  test('knows one name for each setting, however it was written', () => {
    expect(wish({ skip: ['vm/swappiness'], set: ['net/core/somaxconn=5'] })).toEqual({
      profile: 'guide',
      skip: ['vm.swappiness'],
      set: { 'net.core.somaxconn': '5' },
    })
  })

  test('takes values with spaces and equals signs', () => {
    expect(
      wish({ set: ['net.ipv4.ip_local_port_range = 20000\t60000', 'kernel.core_pattern=|/bin/x a=b'] }).set,
    ).toEqual({
      'net.ipv4.ip_local_port_range': '20000 60000',
      'kernel.core_pattern': '|/bin/x a=b',
    })
  })

  test.each<[{ skip?: string[]; set?: string[] }, string, string]>([
    [{ set: ['vm.swappiness'] }, 'expected KEY=VALUE', ''],
    [{ set: ['=5'] }, 'expected KEY=VALUE', ''],
    [{ set: ['vm.swappiness='] }, 'expected a value of visible characters, not ""', ''],
    [{ set: ['vm.swappiness=1\n2'] }, 'expected a value of visible characters', ''],
    [{ set: ['../../etc/passwd=1'] }, 'expected a kernel parameter', ''],
    [{ set: ['-p=1'] }, 'expected a kernel parameter', ''],
    [{ set: ['worker_threads=8'] }, 'expected a kernel parameter', 'did you mean server.worker_threads?'],
    [{ set: ['server.worker_thread=8'] }, 'expected a kernel parameter', 'did you mean server.worker_threads?'],
    [{ set: ['server.worker_threads=many'] }, 'server.worker_threads: expected auto or a whole number', ''],
    [{ set: ['nofile=0'] }, 'expected a whole number of at least 1, not "0"', ''],
    [{ set: ['nofile=1', 'nofile=2'] }, 'nofile is given twice', ''],
    [{ skip: ['vm.swappines'] }, 'the profile guide does not set it', 'did you mean vm.swappiness?'],
    [{ skip: ['server.max_connections'] }, 'the profile guide does not set it', 'it sets net.core.somaxconn'],
    [{ skip: ['vm.swappiness'], set: ['vm.swappiness=1'] }, 'both skipped and set', ''],
  ])('refuses %j', (words, message, hint) => {
    expect(() => wish(words)).toThrow(
      expect.objectContaining({
        code: 'usage',
        message: expect.stringContaining(message) as unknown,
        hint: expect.stringContaining(hint) as unknown,
      }),
    )
  })
})
