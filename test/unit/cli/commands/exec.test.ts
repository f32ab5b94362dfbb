import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { exec } from '../../../../src/system/exec.ts'
import { fakeConnections, unreachable, type FakeHost } from '../../../support/fake-hosts.ts'
import { runCommand } from '../../../support/run-in-process.ts'
import { smallFleet, type SmallFleet } from '../../../support/small-fleet.ts'

let fleet: SmallFleet
beforeAll(async () => {
  fleet = await smallFleet()
})
afterAll(() => fleet.remove())

const marked = (mark: string): FakeHost => ({
  commands: [
    [
      /uptime$/,
      ([, , , , , environment = '', word = '']) =>
        mark === environment ? { stdout: 'up 3 days\nload 0.1\n' } : { code: 1, stderr: `${word} ${mark}\n` },
    ],
    [/false$/, { code: 3, stdout: 'half\u001b[31m', stderr: 'no\n' }],
    [
      /wc -c$/,
      (_, { stdin }) => ({
        stdout: `${stdin !== undefined && 'file' in stdin ? readFileSync(stdin.file).length : 0}\n`,
      }),
    ],
  ],
})
const connections = fakeConnections({ web1: marked('staging'), web2: marked('production'), db1: unreachable })
const netops = (words: string, stdin?: string) =>
  runCommand(words, { cwd: fleet.cwd, connections, ...(stdin === undefined ? {} : { stdin }) })

describe('netops exec', () => {
  it('prints each line with the name of its host', async () => {
    const { exit, stdout, stderr } = await netops('exec --hosts web1 -- uptime')
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' })
    expect(stdout).toMatchInlineSnapshot(`
      "web1 | up 3 days
      web1 | load 0.1
      "
    `)
  })

  it('tells at the end of each host on which it failed, also of one that is marked otherwise or out of reach', async () => {
    const { exit, stdout, stderr } = await netops('exec -- uptime')
    expect(exit).toBe(7)
    expect(stdout).toMatchInlineSnapshot(`
      "web1 | up 3 days
      web1 | load 0.1
      "
    `)
    expect(stderr).toMatchInlineSnapshot(`
      "web2: the host is marked as production, and the fleet file is for staging
        hint: use the fleet file of production; a host that changed hands is marked in /etc/netops/environment
      db1: connection refused
        hint: is its sshd running?
      "
    `)
    expect(connections.open()).toBe(0)
  })

  it('runs nothing on a host whose mark is empty', async () => {
    const mark = join(fleet.cwd, 'mark')
    await writeFile(mark, '')
    // The host's own shell reads it.
    const guard: FakeHost = {
      commands: [
        [
          /^sh -c mark=/,
          async (argv, { onOutput }) => {
            const words = argv.map((word) => (word === '/etc/netops/environment' ? mark : word))
            return exec(words, onOutput === undefined ? {} : { onOutput })
          },
        ],
      ],
    }
    const marked = fakeConnections({ web1: guard })
    const ask = () => runCommand('exec --hosts web1 -- echo ran', { cwd: fleet.cwd, connections: marked })
    expect(await ask()).toMatchObject({
      exit: 9,
      stdout: '',
      stderr: expect.stringContaining('/etc/netops/environment is damaged: it holds no name') as string,
    })
    await writeFile(mark, 'staging\n')
    expect(await ask()).toMatchObject({ exit: 0, stdout: 'web1 | ran\n' })
  })

  it('passes on what a failing command printed, on both streams', async () => {
    const { exit, stdout, stderr } = await netops('exec --hosts web1,web2 -- false')
    expect(exit).toBe(1)
    expect(stdout).toBe('web1 | half\u001b[31m\nweb2 | half\u001b[31m\n')
    expect(stderr).toMatchInlineSnapshot(`
      "web1 | no
      web2 | no
      web1: exited with 3
      web2: exited with 3
      "
    `)
  })

  it('prints the output of a host together', async () => {
    const { exit, stdout, stderr } = await netops('exec --grouped --hosts web1,db1 -- uptime')
    expect(exit).toBe(4)
    expect(stdout).toMatchInlineSnapshot(`
      "web1 | up 3 days
      web1 | load 0.1
      "
    `)
    expect(stderr).toMatchInlineSnapshot(`
      "db1: connection refused
        hint: is its sshd running?
      "
    `)
  })

  it('keeps the output in a document', async () => {
    const { exit, json, stderr } = await netops('exec --json -- uptime')
    expect({ exit, stderr }).toEqual({ exit: 7, stderr: '' })
    expect(json).toMatchInlineSnapshot(
      `"{"schema":"netops/v1","command":"exec","ok":false,"outcome":"refused","argv":["uptime"],"hosts":[{"host":"web1","ms":0,"stdout":"up 3 days\\nload 0.1\\n","stderr":"","code":0},{"host":"web2","ms":0,"stdout":"","stderr":"","code":null,"error":{"code":"refused","message":"the host is marked as production, and the fleet file is for staging","hint":"use the fleet file of production; a host that changed hands is marked in /etc/netops/environment"}},{"host":"db1","stdout":"","stderr":"","ms":0,"code":null,"error":{"code":"unreachable","message":"connection refused","hint":"is its sshd running?"}}]}"`,
    )
    expect((await netops('exec --json --hosts web1 -- false')).json).toMatchInlineSnapshot(
      `"{"schema":"netops/v1","command":"exec","ok":false,"outcome":"failed","argv":["false"],"hosts":[{"host":"web1","ms":0,"stdout":"half\\u001b[31m","stderr":"no\\n","code":3}]}"`,
    )
  })

  it('tells with -v of hosts on which it went well', async () => {
    const { stderr } = await netops('exec -v --hosts web1 -- uptime')
    expect(stderr).toMatch(/^web1: exited with 0 after \d+ ms\n$/)
  })

  it('gives standard input to every host', async () => {
    expect((await netops('exec --stdin --hosts web1,web2 -- wc -c', 'twelve bytes')).stdout).toMatchInlineSnapshot(`
      "web1 | 12
      web2 | 12
      "
    `)
  })

  it('shows what it would run, and reaches no host', async () => {
    const before = connections.ran.length
    expect((await runCommand(['exec', '--dry-run', '--', 'echo', 'a b'], { cwd: fleet.cwd })).stdout)
      .toMatchInlineSnapshot(`
      "web1: echo 'a b'
      web2: echo 'a b'
      db1: echo 'a b'

      Dry run: nothing was run.
      "
    `)
    expect((await netops('exec --dry-run --json --hosts web1 -- uptime')).json).toMatchInlineSnapshot(
      `"{"schema":"netops/v1","command":"exec","ok":true,"outcome":"done","dryRun":true,"hosts":[{"host":"web1","command":"uptime","argv":["uptime"]}]}"`,
    )
    expect(connections.ran.length).toBe(before)
  })

  it('refuses no command, and a whole command line as one word', async () => {
    expect(await netops('exec --hosts web1')).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('no command given') as string,
    })
    const { exit, stderr } = await runCommand(['exec', '--', 'ls -l'], { cwd: fleet.cwd, connections })
    expect(exit).toBe(2)
    expect(stderr).toMatchInlineSnapshot(`
      "netops: no shell reads the command: 'ls -l' would be looked for as a program of that name
        hint: give the words by themselves, or ask for a shell: netops exec -- sh -c 'ls -l'
      "
    `)
  })

  it('begins nothing after Ctrl-C', async () => {
    const { exit, stderr } = await runCommand('exec -- uptime', {
      cwd: fleet.cwd,
      connections,
      signal: AbortSignal.abort(),
    })
    expect(exit).toBe(130)
    expect(stderr).toMatchInlineSnapshot(`
      "stopped: on 3 of 3 hosts the command did not run to its end
      "
    `)
  })
})
