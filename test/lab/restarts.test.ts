// A service behind the sockets that systemd holds for it: it is restarted while it is asked all the time, and nobody notices.
// The tests follow one host through its life, in order.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { execOnHost } from '../../src/lab/host.ts'
import { hostPaths } from '../../src/model/paths.ts'
import { ownTraits } from '../../src/model/release-traits.ts'
import { exec } from '../../src/system/exec.ts'
import { sha256OfText } from '../../src/system/files.ts'
import { useLab } from '../support/lab.ts'
import { eventually } from '../support/server-process.ts'
import { startTraffic } from '../support/traffic.ts'

const { lab, host } = useLab('web1')
const paths = hostPaths('/')
const long = process.env.NETOPS_ENDURANCE === '1'
const quick = ['--min-healthy-time', '500ms', '--healthy-deadline', '30s']

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netops-restarts-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function netops(...words: string[]) {
  const argv = [inject('builds').netops, ...words, '--inventory', lab().inventory]
  return exec(argv, { env: { NETOPS_STATE_DIR: join(folder, 'state') }, timeoutMs: 120_000 })
}

async function config(maxConnections: number, server = ''): Promise<string> {
  const file = join(folder, `${maxConnections}.yaml`)
  await writeFile(file, `security:\n  auth: none\nserver:\n  max_connections: ${maxConnections}\n${server}`)
  return file
}

const deploy = async (release: string, file: string, ...words: string[]) =>
  netops('deploy', '--release', release, '--config', file, ...quick, ...words)

const on = (...argv: string[]) => execOnHost(host('web1'), argv)
const unit = async (name: string, property: string) =>
  (await on('systemctl', 'show', '--value', '--property', property, name)).stdout.trim()
const traffic = (perSecond: number) => startTraffic({ host: host('web1').address, port: 8080, perSecond, slowMs: 3000 })

test('a deployment installs the sockets, and systemd finds nothing wrong with the units', async () => {
  expect(await deploy(inject('builds').server1, await config(1000))).toMatchObject({ code: 0 })
  expect(await unit('network_service.socket', 'ActiveState')).toBe('active')
  expect(await unit('network_service.socket', 'UnitFileState')).toBe('enabled')
  expect((await on('systemd-analyze', 'verify', paths.unit, paths.socket)).stderr).toBe('')
  // Two threads a core, at least four.
  const listening = (await on('ss', '-Hltn', 'sport = :8080')).stdout.trim().split('\n')
  expect(listening.length).toBeGreaterThanOrEqual(4)
  // As many may wait at each while nobody serves as the kernel lets wait (ss(8): the third word).
  const most = (await on('cat', '/proc/sys/net/core/somaxconn')).stdout.trim()
  expect(new Set(listening.map((line) => line.split(/\s+/)[2]))).toEqual(new Set([most]))
})

test(
  'requests go on through deployments, a rollback, a tuned restart and one by hand, and none fails',
  async () => {
    const { server1, server2 } = inject('builds')
    const running = traffic(200)
    for (let index = 0; index < (long ? 10 : 2); index += 1) {
      expect(await deploy(index % 2 === 0 ? server2 : server1, await config(1001 + index))).toMatchObject({ code: 0 })
    }
    expect(await netops('rollback', ...quick)).toMatchObject({ code: 0 })
    // What a container may not set is left out.
    const skip = [
      'net.core.netdev_max_backlog',
      'fs.file-max',
      'fs.nr_open',
      'vm.max_map_count',
      'vm.swappiness',
      'nofile',
    ]
    const started = await unit('network_service', 'InvocationID')
    expect(await netops('tune', 'apply', '--restart', '--skip', skip.join(','), ...quick)).toMatchObject({ code: 0 })
    expect(await unit('network_service', 'InvocationID')).not.toBe(started)
    expect((await on('systemctl', 'restart', 'network_service')).code).toBe(0)
    const { failures, good, slow } = await running.stop()
    expect(failures.slice(0, 20)).toEqual([])
    expect(good).toBeGreaterThan(1000)
    expect(slow).toBeGreaterThan(3)
  },
  long ? 400_000 : 120_000,
)

test('a stop is one: the sockets end too, and nobody who connects starts it again', async () => {
  expect((await on(paths.netopsLink, 'service', 'stop')).code).toBe(0)
  expect(await unit('network_service.socket', 'ActiveState')).toBe('inactive')
  const running = traffic(5)
  expect((await running.stop()).failures.every((failure) => failure.includes('ECONNREFUSED'))).toBe(true)
  expect(await unit('network_service', 'ActiveState')).toBe('inactive')
  expect((await on(paths.netopsLink, 'service', 'start')).code).toBe(0)
  expect(await unit('network_service.socket', 'ActiveState')).toBe('active')
  await eventually(async () => expect((await netops('health')).code).toBe(0))
})

test('a release that does not start is taken back, and who connected meanwhile is answered', async () => {
  const bad = join(folder, 'network_server')
  const script = '#!/bin/sh\ncase "$*" in *--check-config*) exit 0 ;; esac\nexit 3\n'
  await writeFile(bad, script, { mode: 0o755 })
  const entry = {
    ...{ name: 'network_server', version: '1.2.0', commit: 'unknown', node: process.versions.node },
    platform: `${process.platform}-${process.arch}`,
    ...{ size: script.length, sha256: sha256OfText(script), traits: ownTraits },
  }
  const manifest = JSON.stringify({ schema: 'netops/build/v1', executables: [entry] })
  await writeFile(join(folder, 'manifest.json'), manifest)
  const running = traffic(20)
  expect(await deploy(bad, await config(2000))).toMatchObject({ code: 8 })
  await eventually(async () => expect((await netops('health')).code).toBe(0))
  expect((await running.stop()).failures).toEqual([])
})

test('another number of threads is announced as what it is, and has as many sockets', async () => {
  // What tuning has set would win over the configuration.
  expect(await netops('tune', 'revert', '--restart', ...quick)).toMatchObject({ code: 0 })
  const file = await config(3000, '  worker_threads: 2\n')
  const shown = await deploy(inject('builds').server2, file, '--dry-run')
  expect(shown.stdout).toContain('its sockets change, nobody can connect until it starts')
  expect(await deploy(inject('builds').server2, file)).toMatchObject({ code: 0 })
  expect((await on('ss', '-Hltn', 'sport = :8080')).stdout.trim().split('\n')).toHaveLength(2)
})
