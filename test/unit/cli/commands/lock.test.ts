import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fakeConnections, unreachable } from '../../../support/fake-hosts.ts'
import { runCommand } from '../../../support/run-in-process.ts'
import { smallFleet, type SmallFleet } from '../../../support/small-fleet.ts'

let fleet: SmallFleet
beforeAll(async () => {
  fleet = await smallFleet()
})
afterAll(() => fleet.remove())

const lock = {
  kind: 'fleet',
  lease: 'release',
  run: '20261123T104501Z-deploy-3f9a',
  reason: 'deploying 1.0.0',
  user: 'anna',
  from: 'laptop',
  since: '2026-11-23T10:45:01.000Z',
  silentSeconds: 3,
  standing: 'held',
  state: 'at work',
}
const builds = /^ls -1t -- \/opt\/network_system\/netops$/
const document = (content: object) => ({ stdout: `Welcome!\n${JSON.stringify(content)}\n` })
const held = { message: `run ${lock.run} is at work`, code: 'locked', hint: 'wait for it' }
const connections = fakeConnections({
  web1: {
    files: { '/etc/netops/environment': 'staging\n' },
    commands: [
      [builds, { stdout: 'aaaabbbbcccc\n111122223333\n' }],
      [
        /lock status --root \/ --json$/,
        document({
          hosts: [{ locks: [lock, { ...lock, kind: 'host', lease: 'backup', standing: 'dead', state: 'unfinished' }] }],
        }),
      ],
      [/lock release --root \/ --json$/, { code: 6, ...document({ error: held }) }],
      [/lock release --run \S+ --force --root \/ --json$/, document({ hosts: [{ locks: [lock] }] })],
    ],
  },
  web2: { commands: [[builds, { code: 2 }]] },
  db1: unreachable,
})
const netops = (words: string) => runCommand(words, { cwd: fleet.cwd, connections })

describe('netops lock status', () => {
  it('shows who holds each host', async () => {
    const { exit, stdout, stderr } = await netops('lock status')
    expect({ exit, stderr }).toEqual({ exit: 4, stderr: '' })
    expect(stdout).toMatchInlineSnapshot(`
      "web1: at work: run 20261123T104501Z-deploy-3f9a (deploying 1.0.0) by anna on laptop since 2026-11-23T10:45:01.000Z, heard of 3 s ago
      web1: backup: unfinished: run 20261123T104501Z-deploy-3f9a (deploying 1.0.0) by anna on laptop since 2026-11-23T10:45:01.000Z, its process is gone
      web2: free
      db1: connection refused
        hint: is its sshd running?
      "
    `)
    expect(connections.open()).toBe(0)
  })

  it('makes a document', async () => {
    expect((await netops('lock status --json')).json).toMatchInlineSnapshot(
      `"{"schema":"netops/v1","command":"lock status","ok":false,"outcome":"unreachable","hosts":[{"host":"web1","locks":[{"kind":"fleet","lease":"release","run":"20261123T104501Z-deploy-3f9a","reason":"deploying 1.0.0","user":"anna","from":"laptop","since":"2026-11-23T10:45:01.000Z","silentSeconds":3,"standing":"held","state":"at work"},{"kind":"host","lease":"backup","run":"20261123T104501Z-deploy-3f9a","reason":"deploying 1.0.0","user":"anna","from":"laptop","since":"2026-11-23T10:45:01.000Z","silentSeconds":3,"standing":"dead","state":"unfinished"}]},{"host":"web2","locks":[]},{"host":"db1","locks":[],"error":{"code":"unreachable","message":"connection refused","hint":"is its sshd running?"}}]}"`,
    )
  })

  it('fails as its only host does', async () => {
    const { exit, stdout, stderr } = await netops('lock status --hosts db1')
    expect({ exit, stdout }).toEqual({ exit: 4, stdout: '' })
    expect(stderr).toMatchInlineSnapshot(`
      "netops: db1: connection refused
        hint: is its sshd running?
      "
    `)
    expect((await netops('lock status --hosts db1 --json')).json).toMatchInlineSnapshot(
      `"{"schema":"netops/v1","command":"lock status","ok":false,"outcome":"unreachable","error":{"code":"unreachable","message":"connection refused","hint":"is its sshd running?","host":"db1"}}"`,
    )
  })

  it('reads the leases below a root by itself', async () => {
    const here = fakeConnections({ local: {} })
    expect(await runCommand(`lock status --root ${fleet.cwd}`, { connections: here })).toMatchObject({
      exit: 0,
      stdout: 'local: free\n',
    })
  })
})

describe('netops lock release', () => {
  it('says what stands against it', async () => {
    const { exit, stdout } = await netops('lock release --hosts web1,web2')
    expect(exit).toBe(6)
    expect(stdout).toMatchInlineSnapshot(`
      "web1: run 20261123T104501Z-deploy-3f9a is at work
        hint: wait for it
      web2: nothing to give back
      "
    `)
  })

  it('takes a lease away by the name of its run', async () => {
    const { exit, stdout } = await netops(`lock release --hosts web1 --run ${lock.run} --force`)
    expect(exit).toBe(0)
    expect(stdout).toMatchInlineSnapshot(`
      "web1: given back: run 20261123T104501Z-deploy-3f9a (deploying 1.0.0) by anna
      "
    `)
  })

  it('wants the run by name with force', async () => {
    const { exit, stderr } = await netops('lock release --force')
    expect(exit).toBe(2)
    expect(stderr).toMatchInlineSnapshot(`
      "netops: --force needs --run: name the run whose lease is to be taken away
        hint: netops lock status shows it
      "
    `)
  })

  it('takes no host of another environment', async () => {
    const other = fakeConnections({ web1: { files: { '/etc/netops/environment': 'production\n' } } })
    const screen = await runCommand('lock release --hosts web1', { cwd: fleet.cwd, connections: other })
    expect(screen.exit).toBe(7)
    expect(screen.stderr).toMatchInlineSnapshot(`
      "netops: web1: the host is marked as production, and the fleet file is for staging
        hint: use the fleet file of production; a host that changed hands is marked in /etc/netops/environment
      "
    `)
  })
})
