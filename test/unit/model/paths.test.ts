import { describe, expect, test } from 'vitest'
import { hostPaths, releaseId } from '../../../src/model/paths.ts'

describe('the paths of a host', () => {
  test('are the documented ones on a host of its own', () => {
    expect(hostPaths('/')).toMatchObject({
      current: '/opt/network_system/current',
      serverLink: '/usr/local/bin/network_server',
      config: '/etc/network_system/config.yaml',
      dataDir: '/var/lib/network_system',
      lease: '/var/lib/netops/lease.json',
      unit: '/etc/systemd/system/network_service.service',
      socket: '/etc/systemd/system/network_service.socket',
      sysctlDropIn: '/etc/sysctl.d/90-network-system.conf',
      limitsDropIn: '/etc/security/limits.d/90-network-system.conf',
      unitDropIn: '/etc/systemd/system/network_service.service.d/90-network-system.conf',
      tuningEnvironment: '/etc/network_system/tuning.env',
      tuning: '/var/lib/netops/tuning.json',
    })
  })

  test('all lie below another root when there is one', () => {
    const moved = Object.entries(hostPaths('/tmp/site')).filter(([name]) => name !== 'root')
    const own = new Map(Object.entries(hostPaths('/')))
    expect(moved.map(([, path]) => path as string)).toEqual(
      moved.map(([name]) => `/tmp/site${own.get(name) as string}`),
    )
  })
})

test('a release is named by its version and its content', () => {
  expect(releaseId('1.2.0', '0123456789abcdef'.repeat(4))).toBe('1.2.0-0123456789ab')
})
