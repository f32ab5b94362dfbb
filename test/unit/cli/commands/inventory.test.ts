import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fakeConnections, unreachable, type FakeHost } from '../../../support/fake-hosts.ts'
import { runCommand } from '../../../support/run-in-process.ts'
import { smallFleet, type SmallFleet } from '../../../support/small-fleet.ts'

let fleet: SmallFleet
beforeAll(async () => {
  fleet = await smallFleet()
})
afterAll(() => fleet.remove())

const answering = (mark?: string): FakeHost => ({
  files: mark === undefined ? {} : { '/etc/netops/environment': `${mark}\n` },
  commands: [[/^uname -srm$/, { stdout: 'Linux 6.1.0 x86_64\n' }]],
})
const connections = fakeConnections({ web1: answering('staging'), web2: answering('production'), db1: unreachable })
const netops = (words: string) => runCommand(words, { cwd: fleet.cwd, connections })

describe('netops inventory list', () => {
  it('shows the hosts in columns, without blanks at the ends of lines', async () => {
    const { exit, stdout, stderr } = await netops('inventory list')
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' })
    expect(stdout).toMatchInlineSnapshot(`
      "HOST  LOGIN                 GROUPS  ROLES     TAGS
      web1  admin@10.0.0.11       edge    backend   blue
      web2  admin@10.0.0.12:2222  edge    backend   -
      db1   admin@10.0.0.21       -       database  -
      "
    `)
  })

  it('shows what the options choose', async () => {
    expect((await netops('inventory list --group edge --tag blue')).stdout).toMatchInlineSnapshot(`
      "HOST  LOGIN            GROUPS  ROLES    TAGS
      web1  admin@10.0.0.11  edge    backend  blue
      "
    `)
  })

  it('makes a document', async () => {
    const { exit, json } = await netops('inventory list --hosts web2 --json')
    expect(exit).toBe(0)
    expect(json).toMatchInlineSnapshot(
      `"{"schema":"netops/v1","command":"inventory list","ok":true,"outcome":"done","environment":"staging","hosts":[{"host":"web2","address":"10.0.0.12","hostname":"10.0.0.12","port":2222,"user":"admin","knownHosts":"/home/admin/.ssh/known_hosts","jump":[],"roles":["backend"],"tags":[],"groups":["edge"]}]}"`,
    )
  })

  it('names a host that is not in the fleet', async () => {
    const { exit, stdout, stderr } = await netops('inventory list --hosts web3')
    expect({ exit, stdout }).toEqual({ exit: 2, stdout: '' })
    expect(stderr).toMatchInlineSnapshot(`
      "netops: netops.yml has no host web3
        hint: it has web1, web2, db1
      "
    `)
  })
})

describe('netops inventory show', () => {
  it('shows what the fleet file says of a host', async () => {
    const { exit, stdout } = await netops('inventory show web2')
    expect(exit).toBe(0)
    expect(stdout).toMatchInlineSnapshot(`
      "web2
        login        admin@10.0.0.12:2222
        identity     the keys of the agent and of ssh_config
        known hosts  /home/admin/.ssh/known_hosts
        jump         -
        become       -
        environment  staging
        groups       edge
        roles        backend
        tags         -
        config       config.yaml
        differs      server.port: 8081  (netops.yml:8:96)
      "
    `)
  })

  it('makes a document', async () => {
    expect((await netops('inventory show web2 --json')).json).toMatchInlineSnapshot(
      `"{"schema":"netops/v1","command":"inventory show","ok":true,"outcome":"done","host":"web2","address":"10.0.0.12","hostname":"10.0.0.12","port":2222,"user":"admin","knownHosts":"/home/admin/.ssh/known_hosts","jump":[],"roles":["backend"],"tags":[],"groups":["edge"],"environment":"staging","config":"config.yaml","differs":[{"path":"server.port","value":8081,"said":"netops.yml:8:96"}],"files":[]}"`,
    )
  })
})

describe('netops inventory check', () => {
  it('says of each host whether it answers and is what the fleet file is for', async () => {
    const { exit, stdout } = await netops('inventory check')
    expect(exit).toBe(7)
    expect(stdout.replace(/in \d+ ms/, 'in 1 ms')).toMatchInlineSnapshot(`
      "web1: answers in 1 ms, Linux 6.1.0 x86_64, marked as staging
      web2: the host is marked as production, and the fleet file is for staging
        hint: use the fleet file of production; a host that changed hands is marked in /etc/netops/environment
      db1: connection refused
        hint: is its sshd running?
      "
    `)
    expect(connections.open()).toBe(0)
  })

  it('ends with the code of a host that cannot be reached', async () => {
    expect((await netops('inventory check --hosts web1,db1')).exit).toBe(4)
    expect((await netops('inventory check --hosts web1')).exit).toBe(0)
  })

  it('makes a document', async () => {
    expect((await netops('inventory check --json')).json).toMatchInlineSnapshot(
      `"{"schema":"netops/v1","command":"inventory check","ok":false,"outcome":"refused","environment":"staging","hosts":[{"host":"web1","system":"Linux 6.1.0 x86_64","marked":"staging","ms":0,"ok":true},{"host":"web2","system":"Linux 6.1.0 x86_64","marked":"production","ms":0,"ok":false,"error":{"code":"refused","message":"the host is marked as production, and the fleet file is for staging","hint":"use the fleet file of production; a host that changed hands is marked in /etc/netops/environment"}},{"host":"db1","ms":0,"ok":false,"error":{"code":"unreachable","message":"connection refused","hint":"is its sshd running?"}}]}"`,
    )
  })
})
