// Deployments, a rollback and a tuned restart of a service that is asked all the time: nobody is turned away.
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { holdSockets } from '../../src/drivers/services/held-sockets.ts'
import { ownTraits } from '../../src/model/release-traits.ts'
import { listenOnPassed } from '../../src/server/listening.ts'
import { exec } from '../../src/system/exec.ts'
import { httpGet } from '../../src/system/http.ts'
import { eventually, freePort } from '../support/server-process.ts'
import { closed, makeSite, smallRelease, supervisorOf, type Release, type Site } from '../support/site.ts'
import { startTraffic } from '../support/traffic.ts'

const long = process.env.NETOPS_ENDURANCE === '1'
const quick = ['--min-healthy-time', '500ms', '--healthy-deadline', '20s']

interface Served {
  readonly site: Site
  readonly one: Release
  readonly two: Release
}

/** A site where a release that takes sockets is in service, and another one to deploy. */
async function served(): Promise<Served> {
  const site = await makeSite()
  const [one, two] = [
    await smallRelease(site, '1.0.0', '', ownTraits),
    await smallRelease(site, '1.1.0', '', ownTraits),
  ]
  expect(await site.deploy(one, ['--config', await configOf(site)])).toMatchObject({ code: 0 })
  return { site, one, two }
}

/** A configuration that asks for no tokens, with something else in the place of how many connections there may be. */
async function configOf(site: Site, line = 'max_connections: 1000'): Promise<string> {
  const file = await site.config()
  const text = (await readFile(file, 'utf8')).replace('max_connections: 1000', line)
  await writeFile(file, `${text}security:\n  auth: none\n`)
  return file
}

test(
  'requests go on through deployments, one that is taken back, a rollback and a tuned restart, and none fails',
  async () => {
    const { site, one, two } = await served()
    const supervisor = (await supervisorOf(site.paths))?.supervisor
    const traffic = startTraffic({ port: site.ports.server, perSecond: 200, slowMs: 3000 })
    for (let index = 0; index < (long ? 10 : 2); index += 1) {
      const release = index % 2 === 0 ? two : one
      const config = await configOf(site, `max_connections: ${1001 + index}`)
      expect(await site.deploy(release, ['--config', config])).toMatchObject({ code: 0 })
      expect(await site.answering()).toBe(release.id)
    }
    expect(await site.netops(['rollback', '--json', ...quick])).toMatchObject({ code: 0, json: { ok: true } })
    expect(await site.netops(['tune', 'apply', '--json', '--restart', ...quick])).toMatchObject({ code: 0 })
    // One that does not start: what was in service comes back, and who waited is answered.
    const serves = await site.answering()
    const bad = await smallRelease(site, '1.2.0', 'case "$*" in *--check-config*) exit 0 ;; esac\nexit 3', ownTraits)
    expect(await site.deploy(bad)).toMatchObject({ code: 8 })
    await eventually(async () => expect(await site.answering()).toBe(serves))
    const { failures, good, slow } = await traffic.stop()
    expect(failures.slice(0, 20)).toEqual([])
    expect(good).toBeGreaterThan(1000)
    expect(slow).toBeGreaterThan(3)
    expect((await supervisorOf(site.paths))?.supervisor).toEqual(supervisor)
  },
  long ? 400_000 : 200_000,
)

test('a deployment with another number of threads says that nobody can connect meanwhile, and has other sockets held', async () => {
  const { site, two } = await served()
  const before = await supervisorOf(site.paths)
  const config = await configOf(site, 'worker_threads: 1')
  const shown = await site.netops(['deploy', '--release', two.file, '--config', config, '--dry-run'])
  expect(shown.stdout).toContain('its sockets change, nobody can connect until it starts')
  expect(await site.deploy(two, ['--config', config])).toMatchObject({ code: 0 })
  expect(await site.answering()).toBe(two.id)
  expect((await supervisorOf(site.paths))?.supervisor).not.toEqual(before?.supervisor)
  expect((await readFile(site.paths.socket, 'utf8')).match(/^ListenStream=.*$/gm)).toEqual([
    `ListenStream=127.0.0.1:${site.ports.server}`,
  ])
})

test('sockets are not shared with whoever listens there already, and are passed on without being listened on', async () => {
  const other = createServer()
  const taken = await new Promise<number>((resolve) =>
    other.listen({ host: '127.0.0.1', port: 0, reusePort: true }, () => resolve((other.address() as AddressInfo).port)),
  )
  const wanted = [1, 2].map(() => ({ address: '127.0.0.1', port: taken }))
  expect(() => holdSockets(wanted)).toThrow(`cannot listen on 127.0.0.1:${taken}`)
  await closed(other)
  const held = holdSockets(wanted)
  onTestFinished(() => held.letGo())
  expect(held.descriptors).toHaveLength(2)
  // Nobody accepts yet, so nobody is kept waiting.
  await expect(httpGet(`http://127.0.0.1:${taken}/`, 5000)).rejects.toThrow('ECONNREFUSED')
})

test('a start is none while something else listens there, and is one as soon as it does not', async () => {
  const { site, one } = await served()
  expect(await site.netops(['service', 'stop'])).toMatchObject({ code: 0 })
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(site.ports.server, '127.0.0.1', resolve))
  for (const action of ['start', 'start', 'restart']) {
    const { code, stderr } = await site.netops(['service', action])
    expect([action, code, stderr]).toEqual([action, 1, expect.stringContaining('the service was not started')])
    expect(stderr).toContain(`cannot listen on 127.0.0.1:${site.ports.server}`)
  }
  await closed(other)
  expect(await site.netops(['service', 'start'])).toMatchObject({ code: 0 })
  await eventually(async () => expect(await site.answering()).toBe(one.id))
}, 180_000)

const ss = ['/usr/bin/ss', '/bin/ss', '/usr/sbin/ss', '/sbin/ss'].find((file) => existsSync(file))

test.skipIf(ss === undefined)('as many may wait at a socket that was passed as the kernel lets wait', async () => {
  const at = { host: '127.0.0.1', port: await freePort() }
  const held = holdSockets([{ address: at.host, port: at.port }])
  const server = createServer()
  onTestFinished(async () => {
    await closed(server)
    held.letGo()
  })
  await listenOnPassed(server, held.descriptors[0] ?? -1, at, 'server.port')
  const { stdout } = await exec([ss ?? '', '-Hltn', `sport = :${at.port}`])
  // ss(8): of what listens the third word is how many may wait.
  const most = Number(stdout.trim().split(/\s+/)[2])
  expect(most).toBe(Math.min(65_535, Number(await readFile('/proc/sys/net/core/somaxconn', 'utf8'))))
})
