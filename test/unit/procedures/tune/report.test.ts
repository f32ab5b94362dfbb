// How each setting of a host stands against what is asked, and what is told of it.
import { describe, expect, test } from 'vitest'
import { hostPaths } from '../../../../src/model/paths.ts'
import type { TuningOptions } from '../../../../src/model/tuning.ts'
import type { TuningFacts } from '../../../../src/procedures/tune/facts.ts'
import { reportTuning, type TuningItem } from '../../../../src/procedures/tune/report.ts'
import { applied, loaded, plainTemplates, running, tuneOrder, untunedHost } from '../../../support/tuning.ts'

const paths = hostPaths('/')
const tuned = applied()
const report = (facts: TuningFacts, wish: Partial<TuningOptions> = {}) =>
  reportTuning({ ...tuneOrder(), ...wish }, facts, plainTemplates)
const itemOf = (name: string, facts: TuningFacts, wish: Partial<TuningOptions> = {}): TuningItem => {
  const found = report(facts, wish).items.find((item) => item.name === name)
  if (found === undefined) throw new Error(`there is no item ${name}`)
  return found
}
const other = (text: string, path = '/etc/sysctl.d/99-other.conf') => [{ path, text }]
const dropIn = (text: string) => {
  const path = `${paths.unitDropIn.slice(0, paths.unitDropIn.lastIndexOf('/'))}/99-other.conf`
  return { ...loaded('5', '32768'), files: [{ path, text }] }
}

describe('before tuning', () => {
  test('nothing is in effect, and everything can be', () => {
    const { items, pending } = report(untunedHost())
    expect(items.map(({ inEffect, problems }) => [inEffect, problems])).toEqual(items.map(() => [false, []]))
    expect(pending).toEqual([])
  })

  test('says where each value comes from', () => {
    const facts = untunedHost({
      sysctlFiles: other('\nvm.swappiness = 60\nfs.nr_open = 5'),
      config: { 'server.worker_threads': '8' },
      unit: loaded('524288', '96203'),
    })
    expect(itemOf('vm.swappiness', facts).from).toBe('/etc/sysctl.d/99-other.conf:2')
    expect(itemOf('fs.nr_open', facts).from).toContain('set since the start of the host')
    expect(itemOf('fs.file-max', facts).from).toBe("the kernel's default, or set by hand")
    expect(itemOf('nofile', facts)).toMatchObject({ now: '524288', from: "systemd's default" })
    expect(itemOf('server.worker_threads', facts)).toMatchObject({ now: '8', from: paths.config })
    expect(itemOf('server.max_connections', facts, { profile: 'sized' })).toMatchObject({
      now: '1000',
      from: "the server's default",
    })
  })

  test('says plainly where the guide lowers what the kernel has', () => {
    const kernel = { ...untunedHost().kernel, 'fs.file-max': { value: '9223372036854775807', writable: true } }
    expect(itemOf('fs.file-max', untunedHost({ kernel })).notes).toEqual([
      'LOWERS what the kernel had: 9223372036854775807',
    ])
    expect(itemOf('fs.file-max', untunedHost({ kernel }), { profile: 'sized' }).notes).toEqual([])
  })

  test('says of each server setting that this release does not act on it yet, and what it wins over', () => {
    const facts = untunedHost({ config: { 'performance.connection_pool_size': '8' } })
    expect(itemOf('performance.connection_pool_size', facts).notes).toEqual([
      'performance.connection_pool_size: this release has no pool',
      `wins over ${paths.config}, which says 8`,
    ])
  })
})

describe('after tuning', () => {
  test('all is in effect, by netops', () => {
    const { items } = report({ ...tuned, unit: loaded('1000000', '32768') })
    expect(items.filter(({ inEffect }) => !inEffect)).toEqual([])
    const written = { ...tuned, sysctlFiles: other('vm.swappiness = 10', paths.sysctlDropIn) }
    expect(itemOf('vm.swappiness', written).from).toBe(`netops tune, ${paths.sysctlDropIn}:1`)
    expect(itemOf('server.worker_threads', tuned).from).toBe(`netops tune, ${paths.tuningEnvironment}`)
  })

  test.each<[string, Partial<TuningFacts>, string, string]>([
    [
      'a later sysctl.d file',
      { sysctlFiles: other('vm.swappiness=60') },
      'vm.swappiness',
      '/etc/sysctl.d/99-other.conf:1 says 60 and wins at the next start of the host',
    ],
    [
      'a key that the kernel refuses',
      { kernel: { ...tuned.kernel, 'vm.swappiness': { value: '10', writable: false } } },
      'vm.swappiness',
      'it is read-only here, as in a container',
    ],
    [
      'a later drop-in of the unit',
      { unit: dropIn('[Service]\nLimitNOFILE=5') },
      'nofile',
      `${paths.unitDropIn.replace('90-network-system', '99-other')}:2 says 5 and wins for the service`,
    ],
    [
      'a later file for sessions',
      { limitsFiles: other('network_service hard nofile 5', '/etc/security/limits.d/99-other.conf') },
      'nofile',
      '/etc/security/limits.d/99-other.conf:1 says 5 and wins for sessions of network_service',
    ],
    [
      'a process 1 that cannot give it',
      { most: { nofile: '20000' } },
      'nofile',
      'process 1 of this host can give no more than 20000: its own hard limit, without CAP_SYS_RESOURCE',
    ],
  ])('%s is a problem', (_, changes, name, problem) => {
    expect(itemOf(name, { ...tuned, ...changes })).toMatchObject({ inEffect: false, problems: [problem] })
  })

  test('a limit above fs.nr_open is a problem, unless that is raised too', () => {
    const problem = 'fs.nr_open is 1048576: the kernel lets no process have more'
    const wish = { set: { nofile: '1500000' } }
    expect(itemOf('nofile', untunedHost(), wish).problems).toEqual([])
    expect(itemOf('nofile', untunedHost(), { ...wish, skip: ['fs.nr_open'] }).problems).toEqual([problem])
  })

  test('files that lose are named, and are no problem', () => {
    const sysctlFiles = other('vm.swappiness = 60', '/etc/sysctl.d/10-x.conf')
    expect(itemOf('vm.swappiness', { ...tuned, sysctlFiles })).toMatchObject({
      inEffect: true,
      notes: ['/etc/sysctl.d/10-x.conf:1 says 60 and loses'],
    })
  })

  test('a file of our name in a folder that counts less does not count', () => {
    const sysctlFiles = other('vm.swappiness = 60', paths.sysctlDropIn.replace('/etc', '/usr/lib'))
    expect(itemOf('vm.swappiness', { ...tuned, sysctlFiles })).toMatchObject({ inEffect: true, notes: [] })
  })

  test('what a running service does not have yet is pending', () => {
    const facts = { ...tuned, unit: loaded('1000000', '32768') }
    expect(report({ ...facts, service: running({ nofile: '1024', nproc: '32768' }) }).pending).toEqual([
      'nofile',
      'server.worker_threads',
      'performance.connection_pool_size',
    ])
  })

  test('an environment file of somebody else that may win is named', () => {
    const unit = dropIn('[Service]\nEnvironmentFile=/etc/default/x')
    expect(itemOf('server.worker_threads', { ...tuned, unit }).notes.at(-1)).toContain('names another environment file')
  })
})
