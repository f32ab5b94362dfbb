import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fakeConnections, unreachable, type FakeHost } from '../../../support/fake-hosts.ts'
import { runCommand } from '../../../support/run-in-process.ts'
import { smallFleet, type SmallFleet } from '../../../support/small-fleet.ts'

let fleet: SmallFleet
beforeAll(async () => {
  fleet = await smallFleet()
})
afterAll(() => fleet.remove())

const endpoints = {
  readyUrl: 'http://127.0.0.1:8080/health/ready',
  healthUrl: 'http://127.0.0.1:8080/health',
  ports: [8080, 9090],
}
const activation = {
  schema: 'netops/activation/v1',
  id: '20261123T104501Z-deploy-3f9a.web1',
  reason: 'deploy',
  release: { id: '1.0.0-0123456789ab', version: '1.0.0', sha256: '1'.repeat(64), size: 6 },
  configSha256: '0'.repeat(64),
  endpoints,
  checksConfig: true,
}
const systemctl = /^env TZ=UTC systemctl show /
const absent = { stdout: 'LoadState=not-found\nActiveState=inactive\n' }
const answers = (status: number, body: unknown, headers = {}) => ({
  stdout: `${JSON.stringify({ status, headers, body: JSON.stringify(body) })}\n`,
})

const serving = (checks: Record<string, boolean>): FakeHost => ({
  links: { '/opt/network_system/current': 'releases/1.0.0-0123456789ab' },
  files: {
    [`/var/lib/netops/history/${activation.id}/activation.json`]: JSON.stringify(activation),
    '/var/lib/netops/open/20261123T110000Z-tune-11aa.web1': '',
  },
  commands: [
    [
      systemctl,
      {
        stdout:
          'LoadState=loaded\nActiveState=active\nMainPID=812\nInvocationID=ab\nNRestarts=0\nActiveEnterTimestamp=Mon 2026-11-23 10:45:05 UTC\n',
      },
    ],
    [/host get .*\/health$/, answers(200, { healthy: !Object.values(checks).includes(false), status: 'up', checks })],
    [/host get .*\/health\/ready$/, answers(200, {}, { 'x-release': '1.0.0-0123456789ab' })],
    [
      /^(tail -n 2|head -n 1) -- /,
      { stdout: '{"netops":1,"seq":3,"at":"2026-11-23T11:00:04.000Z","type":"begin","step":"write-sysctl"}\n' },
    ],
  ],
})
const connections = fakeConnections({
  web1: serving({ database: true, disk: true }),
  web2: { commands: [[systemctl, absent]] },
  db1: unreachable,
})
const netops = (words: string) => runCommand(words, { cwd: fleet.cwd, connections })

describe('netops status', () => {
  it('shows what is in service, what is unfinished, and hosts that cannot be reached', async () => {
    const { exit, stdout, stderr } = await netops('status')
    expect({ exit, stderr }).toEqual({ exit: 4, stderr: '' })
    expect(stdout).toMatchInlineSnapshot(`
      "web1: 1.0.0-0123456789ab, service running (pid 812, since 2026-11-23T10:45:05.000Z), up
        the configuration in place is not the one that was deployed
        unfinished run 20261123T110000Z-tune-11aa.web1 since 2026-11-23T11:00:04.000Z, last: write-sysctl: begin
      web2: not deployed, service absent, not deployed
      db1: connection refused
      "
    `)
    expect(connections.open()).toBe(0)
  })

  it('makes a document', async () => {
    expect((await netops('status --json')).json).toMatchInlineSnapshot(
      `"{"schema":"netops/v1","command":"status","ok":false,"outcome":"unreachable","hosts":[{"host":"web1","release":"1.0.0-0123456789ab","activation":{"schema":"netops/activation/v1","id":"20261123T104501Z-deploy-3f9a.web1","reason":"deploy","release":{"id":"1.0.0-0123456789ab","version":"1.0.0","sha256":"1111111111111111111111111111111111111111111111111111111111111111","size":6},"configSha256":"0000000000000000000000000000000000000000000000000000000000000000","endpoints":{"readyUrl":"http://127.0.0.1:8080/health/ready","healthUrl":"http://127.0.0.1:8080/health","ports":[8080,9090]},"checksConfig":true},"configDrift":true,"service":{"state":"running","mainPid":812,"startId":"ab","restarts":0,"since":"2026-11-23T10:45:05.000Z"},"health":{"healthy":true,"status":"up","checks":{"database":true,"disk":true},"ready":true,"release":"1.0.0-0123456789ab"},"unfinished":[{"run":"20261123T110000Z-tune-11aa.web1","since":"2026-11-23T11:00:04.000Z","last":"write-sysctl: begin"}]},{"host":"web2","configDrift":false,"service":{"state":"absent","restarts":0},"health":{"healthy":false,"checks":{},"ready":false,"status":"not deployed"},"unfinished":[]},{"host":"db1","error":{"code":"unreachable","message":"connection refused","hint":"is its sshd running?"}}]}"`,
    )
  })
})

describe('netops health', () => {
  it('shows each check, and fails where one is not healthy', async () => {
    const { exit, stdout } = await netops('health')
    expect(exit).toBe(5)
    expect(stdout).toMatchInlineSnapshot(`
      "web1: up, release 1.0.0-0123456789ab (database ok, disk ok)
      web2: not deployed, not ready, release none
      db1: connection refused
      "
    `)
    expect((await netops('health --hosts web1')).exit).toBe(0)
  })

  it('names the check that failed', async () => {
    const sick = fakeConnections({ web1: serving({ database: false, disk: true }) })
    const { exit, stdout } = await runCommand('health --hosts web1', { cwd: fleet.cwd, connections: sick })
    expect(exit).toBe(5)
    expect(stdout).toMatchInlineSnapshot(`
      "web1: up, release 1.0.0-0123456789ab (database FAILED, disk ok)
      "
    `)
  })

  it('makes a document', async () => {
    expect((await netops('health --json')).json).toMatchInlineSnapshot(
      `"{"schema":"netops/v1","command":"health","ok":false,"outcome":"unhealthy","hosts":[{"host":"web1","healthy":true,"status":"up","checks":{"database":true,"disk":true},"ready":true,"release":"1.0.0-0123456789ab"},{"host":"web2","healthy":false,"checks":{},"ready":false,"status":"not deployed"},{"host":"db1","error":{"code":"unreachable","message":"connection refused","hint":"is its sshd running?"}}]}"`,
    )
  })
})
