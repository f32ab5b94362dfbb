import { expect, test } from 'vitest'
import { runHosts } from '../../../src/fleet/run-hosts.ts'
import type { Target } from '../../../src/model/target.ts'
import { fakeConnections, unreachable } from '../../support/fake-hosts.ts'

const web1: Target = { kind: 'ssh', name: 'web1', root: '/', address: '10.0.0.1' }
const marked = { web1: { files: { '/etc/netops/environment': 'production\n' } } }
const hostIn = (environment: string | undefined, connections = fakeConnections(marked)) => {
  const host = runHosts([web1], { netops: 'a'.repeat(64), environment }, connections).get('web1')
  if (host === undefined) throw new Error('there is no web1')
  return { host, connections }
}

test.each([undefined, 'staging'])(
  'a host that is meant for something else than %s is left at once, whenever it is reached',
  async (environment) => {
    const { host, connections } = hostIn(environment)
    for (let time = 1; time <= 2; time += 1)
      await expect(host.connection()).rejects.toMatchObject({ code: 'refused', host: 'web1' })
    expect(connections.open()).toBe(0)
    await host.close()
  },
)

test('a host that is meant for the same is connected to once', async () => {
  const { host, connections } = hostIn('production')
  expect(await host.connection()).toBe(await host.connection())
  expect(connections.open()).toBe(1)
  await host.close()
  expect(connections.open()).toBe(0)
})

test('a host that is not reached is told as such', async () => {
  const { host } = hostIn('production', fakeConnections({ web1: unreachable }))
  await expect(host.connection()).rejects.toMatchObject({ code: 'unreachable' })
})
