import { mkdir, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hostPaths } from '../../../../src/model/paths.ts'
import { exec } from '../../../../src/system/exec.ts'
import { fakeConnections, unreachable, type FakeHost } from '../../../support/fake-hosts.ts'
import { runCommand } from '../../../support/run-in-process.ts'
import { quickFolder } from '../../../support/scratch.ts'
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
const builds = /^sh -c ls -1t .* \/opt\/network_system\/netops$/
const build = (id: string) => `/opt/network_system/netops/${id}/netops\n`
const document = (content: object) => ({ stdout: `Welcome!\n${JSON.stringify(content)}\n` })
const held = { message: `run ${lock.run} is at work`, code: 'locked', hint: 'wait for it' }
const connections = fakeConnections({
  web1: {
    files: { '/etc/netops/environment': 'staging\n' },
    commands: [
      [builds, { stdout: `Welcome!\n${build('aaaabbbbcccc')}${build('111122223333')}` }],
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

  it('asks a build that is whole, and none whose push broke off later', async () => {
    const there = await quickFolder('builds')
    await mkdir(join(there, 'whole'))
    await writeFile(join(there, 'whole', 'netops'), '')
    await utimes(join(there, 'whole', 'netops'), 1, 1)
    await mkdir(join(there, 'broken'))
    await writeFile(join(there, 'broken', '.netops.netops-new-run'), '')
    const host: FakeHost = {
      commands: [
        [/ \/opt\/network_system\/netops$/, (argv) => exec([...argv.slice(0, -1), there])],
        [/whole\/netops lock status --root \/ --json$/, document({ hosts: [{ locks: [lock] }] })],
      ],
    }
    const screen = await runCommand('lock status --hosts web1', {
      cwd: fleet.cwd,
      connections: fakeConnections({ web1: host }),
    })
    await rm(there, { recursive: true })
    expect(screen).toMatchObject({ exit: 0, stdout: expect.stringContaining(lock.run) as string })
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

describe('leases below a root that say nothing of themselves', () => {
  it('are shown with what is wrong with them, and given back where nobody has them', async () => {
    const root = join(fleet.cwd, 'site')
    const { lease, fleetLease, state } = hostPaths(root)
    await mkdir(state, { recursive: true })
    const held = { schema: 'netops/lease/v1', run: lock.run, reason: lock.reason, host: 'laptop', user: 'anna' }
    const process = { pid: 1, startTime: '1', bootId: 'b' }
    await writeFile(lease, '{"schema":"netops/le')
    await writeFile(fleetLease, JSON.stringify({ ...held, since: lock.since, process, remote: true }))
    const inAnHour = new Date(Date.now() + 3_600_000)
    await utimes(fleetLease, inAnHour, inAnHour)
    const here = { connections: fakeConnections({ local: {} }) }
    const shown = await runCommand(`lock status --root ${root}`, here)
    expect(shown.exit).toBe(0)
    expect(shown.stdout.replaceAll(fleet.cwd, 'FOLDER')).toMatchInlineSnapshot(`
      "local: over: FOLDER/site/var/lib/netops/lease.json is damaged: it is cut off, or no JSON; nobody has it
        hint: give it back, on the host: netops lock release --root FOLDER/site; or from afar: netops lock release --hosts NAME
      local: at work: run 20261123T104501Z-deploy-3f9a (deploying 1.0.0) by anna on laptop since 2026-11-23T10:45:01.000Z, last heard of before the clock was set back: whoever asks for the host watches it for 30 s
      "
    `)
    await rm(fleetLease)
    const given = await runCommand(`lock release --root ${root}`, here)
    expect({ ...given, stdout: given.stdout.replaceAll(fleet.cwd, 'FOLDER') }).toMatchObject({
      exit: 0,
      stdout: 'local: put aside: FOLDER/site/var/lib/netops/lease.json is damaged: it is cut off, or no JSON\n',
    })
    expect((await runCommand(`lock status --root ${root}`, here)).stdout).toBe('local: free\n')
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

  it.each(['', '\n', 'prod\u0000uction\n', 'a\nb\n'])('takes no host whose mark names nothing: %j', async (mark) => {
    const marked = fakeConnections({ web1: { files: { '/etc/netops/environment': mark } } })
    const screen = await runCommand('lock release --hosts web1', { cwd: fleet.cwd, connections: marked })
    expect(screen).toMatchObject({
      exit: 9,
      stderr:
        'netops: web1: /etc/netops/environment is damaged: it holds no name of an environment\n' +
        '  hint: look what the host is for, then mark it anew: echo NAME > /etc/netops/environment\n',
    })
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
