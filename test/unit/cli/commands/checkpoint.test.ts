import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fakeConnections, unreachable } from '../../../support/fake-hosts.ts'
import { runCommand } from '../../../support/run-in-process.ts'
import { smallFleet, type SmallFleet } from '../../../support/small-fleet.ts'

let fleet: SmallFleet
beforeAll(async () => {
  fleet = await smallFleet()
})
afterAll(() => fleet.remove())

const taken = {
  path: '/var/lib/network_system/checkpoints/checkpoint-20260102T030405678Z.db',
  bytes: 123_456,
  sha256: 'ab'.repeat(32),
  takenMs: 1_767_323_045_678,
  ms: 83,
}
const command = /^\/usr\/local\/bin\/network_server checkpoint --root \/ --json$/
const connections = (web2: object) =>
  fakeConnections({
    web1: {
      files: { '/etc/netops/environment': 'staging\n' },
      commands: [[command, { stdout: `Welcome!\n${JSON.stringify(taken)}\n` }]],
    },
    web2: { files: { '/etc/netops/environment': 'staging\n' }, commands: [[command, web2]] },
    db1: unreachable,
  })
const refused = { error: { code: 'failed', message: 'no service is running', hint: 'start it' } }

describe('netops checkpoint', () => {
  it('tells what each host has now, and what is in the way elsewhere', async () => {
    const hosts = connections({ code: 1, stdout: JSON.stringify(refused) })
    const { exit, stdout, stderr } = await runCommand('checkpoint', { cwd: fleet.cwd, connections: hosts })
    expect({ exit, stderr }).toEqual({ exit: 4, stderr: '' })
    expect(stdout).toMatchInlineSnapshot(`
      "web1: /var/lib/network_system/checkpoints/checkpoint-20260102T030405678Z.db (123.5 KB, 83 ms)
        sha256 abababababababababababababababababababababababababababababababab
      web2: no service is running
        hint: start it
      db1: connection refused
        hint: is its sshd running?
      "
    `)
    expect(hosts.open()).toBe(0)
  })

  it('gives scripts the same', async () => {
    const hosts = connections({ stdout: JSON.stringify({ ...taken, ms: 1 }) })
    const { exit, json } = await runCommand('checkpoint --hosts web1,web2 --json', {
      cwd: fleet.cwd,
      connections: hosts,
    })
    expect(exit).toBe(0)
    expect(JSON.parse(json)).toMatchObject({
      ok: true,
      hosts: [
        { host: 'web1', ...taken, ms: 0 },
        { host: 'web2', ...taken, ms: 0 },
      ],
    })
  })

  it.each([
    [
      'there is no server',
      { code: 127, stderr: 'sh: not found' },
      'no server is deployed: there is no /usr/local/bin/network_server',
    ],
    [
      'a release knows no checkpoints',
      { code: 2, stderr: "Unexpected argument 'checkpoint'\n  hint: x" },
      "the server took no checkpoint: Unexpected argument 'checkpoint'",
    ],
    ['the answer is none', { stdout: '{"path":"/x"}' }, 'the server took no checkpoint: its command exited with 0'],
  ])('says so where %s', async (_what, answer, message) => {
    const { exit, stdout } = await runCommand('checkpoint --hosts web2', {
      cwd: fleet.cwd,
      connections: connections(answer),
    })
    expect(exit).toBe(1)
    expect(stdout).toContain(`web2: ${message}`)
  })

  it('runs nothing in a dry run', async () => {
    const hosts = connections({})
    const { exit, stdout } = await runCommand('checkpoint --hosts web1 --dry-run', {
      cwd: fleet.cwd,
      connections: hosts,
    })
    expect({ exit, stdout }).toEqual({
      exit: 0,
      stdout: 'web1: /usr/local/bin/network_server checkpoint --root / --json\n\nDry run: nothing was run.\n',
    })
    expect(hosts.ran).toEqual([])
  })
})
