import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fakeConnections, unreachable } from '../../../support/fake-hosts.ts'
import { runCommand } from '../../../support/run-in-process.ts'
import { smallFleet, type SmallFleet } from '../../../support/small-fleet.ts'

let fleet: SmallFleet
beforeAll(async () => {
  fleet = await smallFleet()
})
afterAll(() => fleet.remove())

const line = (time: string, msg: string, more = {}): string =>
  `${JSON.stringify({ time: `2020-01-01T${time}Z`, level: 'INFO', msg, release: '1.0.0', ...more })}\n`
const journal = /^journalctl --quiet -u network_service /
const connections = fakeConnections({
  web1: {
    commands: [[journal, { stdout: line('10:00:01.000', 'ready') + line('10:00:03.000', 'asked', { url: '/a' }) }]],
  },
  web2: { commands: [[journal, { stdout: `${line('10:00:02.000', 'ready')}no time\n` }]] },
  db1: { commands: [[journal, { code: 1, stderr: 'Failed to open: Permission denied\n' }]] },
})
const netops = (words: string) => runCommand(words, { cwd: fleet.cwd, connections })

describe('netops logs', () => {
  it('merges the lines of all hosts by time', async () => {
    const { exit, stdout, stderr } = await netops('logs --hosts web1,web2 --raw')
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' })
    expect(stdout).toMatchInlineSnapshot(`
      "web1 | {"time":"2020-01-01T10:00:01.000Z","level":"INFO","msg":"ready","release":"1.0.0"}
      web2 | {"time":"2020-01-01T10:00:02.000Z","level":"INFO","msg":"ready","release":"1.0.0"}
      web2 | no time
      web1 | {"time":"2020-01-01T10:00:03.000Z","level":"INFO","msg":"asked","release":"1.0.0","url":"/a"}
      "
    `)
    expect(connections.open()).toBe(0)
  })

  it('makes lines readable', async () => {
    const { stdout } = await netops('logs --hosts web1 -v')
    expect(stdout.replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d/g, 'DAY HH:MM')).toMatchInlineSnapshot(`
      "web1 | DAY HH:MM:01 INFO  ready  {"release":"1.0.0"}
      web1 | DAY HH:MM:03 INFO  asked  {"release":"1.0.0","url":"/a"}
      "
    `)
  })

  it('tells of a log that cannot be read, and of a host that cannot be reached', async () => {
    const { exit, stdout, stderr } = await netops('logs --hosts web1,db1 --grep ready --raw')
    expect(exit).toBe(1)
    expect(stdout).toMatchInlineSnapshot(`
      "web1 | {"time":"2020-01-01T10:00:01.000Z","level":"INFO","msg":"ready","release":"1.0.0"}
      "
    `)
    expect(stderr).toMatchInlineSnapshot(`
      "db1: cannot read the journal: Failed to open: Permission denied
      "
    `)
    const lost = fakeConnections({ web1: unreachable })
    const screen = await runCommand('logs --hosts web1', { cwd: fleet.cwd, connections: lost })
    expect(screen.exit).toBe(4)
    expect(screen.stderr).toMatchInlineSnapshot(`
      "web1: connection refused
        hint: is its sshd running?
      "
    `)
  })

  it('makes a document', async () => {
    expect((await netops('logs --json')).json).toMatchInlineSnapshot(
      `"{"schema":"netops/v1","command":"logs","ok":false,"outcome":"failed","lines":[{"host":"web1","line":"{\\"time\\":\\"2020-01-01T10:00:01.000Z\\",\\"level\\":\\"INFO\\",\\"msg\\":\\"ready\\",\\"release\\":\\"1.0.0\\"}"},{"host":"web2","line":"{\\"time\\":\\"2020-01-01T10:00:02.000Z\\",\\"level\\":\\"INFO\\",\\"msg\\":\\"ready\\",\\"release\\":\\"1.0.0\\"}"},{"host":"web2","line":"no time"},{"host":"web1","line":"{\\"time\\":\\"2020-01-01T10:00:03.000Z\\",\\"level\\":\\"INFO\\",\\"msg\\":\\"asked\\",\\"release\\":\\"1.0.0\\",\\"url\\":\\"/a\\"}"}],"hosts":[{"host":"web1","source":"the journal of network_service","lines":2},{"host":"web2","source":"the journal of network_service","lines":2},{"host":"db1","source":"the journal of network_service","lines":0,"error":{"code":"failed","message":"cannot read the journal: Failed to open: Permission denied"}}]}"`,
    )
  })

  it('asks for as many lines as make sense, and from where it is told', async () => {
    const before = connections.ran.length
    await netops('logs --hosts web1')
    await netops('logs --hosts web1 --since 2026-11-23T10:00:00Z -n 7')
    expect(connections.ran.slice(before)).toMatchInlineSnapshot(`
      [
        "web1: journalctl --quiet -u network_service -o cat --no-pager -n 100",
        "web1: journalctl --quiet -u network_service -o cat --no-pager -n 7 --since @1795428000",
      ]
    `)
  })

  it('follows until the log cannot be read', async () => {
    const { exit, stdout, stderr } = await netops('logs -f --raw --hosts db1')
    expect({ exit, stdout }).toEqual({ exit: 1, stdout: '' })
    expect(stderr).toMatchInlineSnapshot(`
      "db1: Failed to open: Permission denied
      db1: cannot read the journal: Failed to open: Permission denied
      "
    `)
  })

  it('makes no document of what has no end, and takes no time that is none', async () => {
    expect((await netops('logs -f --json')).json).toMatchInlineSnapshot(
      `"{"schema":"netops/v1","command":"logs","ok":false,"outcome":"usage","error":{"code":"usage","message":"a log that is followed has no end, so it makes no document","hint":"leave out -f, or take --raw instead of --json"}}"`,
    )
    expect((await netops('logs --since yesterday')).stderr).toMatchInlineSnapshot(`
      "netops: --since: 'yesterday' is no time
        hint: give how long ago (10m, 2h, 1d) or a moment (2026-11-23, 2026-11-23T10:00, 2026-11-23T09:00:00Z)
      "
    `)
  })
})
