import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fakeConnections, unreachable, type FakeHost } from '../../../support/fake-hosts.ts'
import { lookText } from '../../../support/preflight.ts'
import { runCommand } from '../../../support/run-in-process.ts'
import { smallFleet, type SmallFleet } from '../../../support/small-fleet.ts'

let fleet: SmallFleet
beforeAll(async () => {
  fleet = await smallFleet()
})
afterAll(() => fleet.remove())

const looks = (changes: Record<string, string> = {}): FakeHost => ({
  commands: [
    [/^date \+%s\.%N$/, () => ({ stdout: `${Date.now() / 1000}\n` })],
    [/@@/, { stdout: lookText(changes) }],
    [/ preflight 0/, { stdout: 'own yes web1\npeer 0 10.0.0.11 22\npeer 0 10.0.0.12 2222\npeer 124 10.0.0.21 22\n' }],
    [/^env TZ=UTC systemctl show /, { stdout: 'LoadState=not-found\nActiveState=inactive\n' }],
  ],
})
const connections = fakeConnections({
  web1: looks(),
  web2: looks({ glibc: 'glibc 2.17', cpus: '1' }),
  db1: unreachable,
})
const netops = (words: string) =>
  runCommand(words, { cwd: fleet.cwd, connections, env: { NETOPS_EXECUTABLE: '/nowhere/netops' } })
const times = (text: string) => text.replaceAll(/-?[\d.]+ m?s\b/g, 'TIME')

describe('netops preflight', () => {
  it('shows what is not good on each host, and what to do about it', async () => {
    const { exit, stdout, stderr } = await netops('preflight')
    expect({ exit, stderr }).toEqual({ exit: 7, stderr: '' })
    expect(times(stdout)).toMatchInlineSnapshot(`
      "web1: 1 warning, 16 checks good
        warning  peers     db1 (10.0.0.21 port 22) does not answer this host either
      web2: 1 problem, 1 warning, 15 checks good
        problem  platform  glibc is 2.17
        warning  peers     db1 (10.0.0.21 port 22) does not answer this host either
      db1: 1 problem
        problem  connect   connection refused

      What to do:
        platform: 2.28 or later is needed: Debian 10, Ubuntu 20.04, RHEL 8 (web2)
        connect: is its sshd running? (db1)
      "
    `)
    expect(connections.open()).toBe(0)
  })

  it('shows all of it with -v', async () => {
    expect(times((await netops('preflight -v --hosts web1')).stdout)).toMatchInlineSnapshot(`
      "web1: 17 checks good
        good     privileges     root
        good     environment    not marked; a first deployment marks it as staging
        good     platform       linux-x64, glibc 2.36
        good     kernel         6.1.0-18-amd64, cgroup v2, somaxconn 4096
        good     systemd        systemd 252 runs
        good     commands       every command that netops calls is there
        good     cpu            4 processors
        good     memory         2929 MiB of 3906 MiB memory available
        good     disk           80.0 GB free on / (releases, data)
        good     disk           50.0 GB free on /var/log (logs)
        good     configuration  a valid configuration, with 2 ports
        good     ports          port 8080 is free
        good     ports          port 9090 is free
        good     clock          the clock agrees with this machine and follows a time source
        good     dns            it resolves its own name
        good     peers          no other host is part of this run
        good     security       SELinux is not enforcing, AppArmor is there and does not confine the service
      "
    `)
  })

  it('makes a document', async () => {
    expect(times((await netops('preflight --hosts web2,db1 --json')).json)).toMatchInlineSnapshot(
      `"{"schema":"netops/v1","command":"preflight","ok":false,"outcome":"refused","environment":"staging","hosts":[{"host":"web2","outcome":"refused","exit":7,"good":15,"warnings":1,"problems":1},{"host":"db1","outcome":"unreachable","exit":4,"good":0,"warnings":0,"problems":1}],"findings":[{"host":"web2","check":"privileges","kind":"good","message":"root"},{"host":"web2","check":"environment","kind":"good","message":"not marked; a first deployment marks it as staging"},{"host":"web2","check":"platform","kind":"problem","message":"glibc is 2.17","remedy":"2.28 or later is needed: Debian 10, Ubuntu 20.04, RHEL 8"},{"host":"web2","check":"kernel","kind":"good","message":"6.1.0-18-amd64, cgroup v2, somaxconn 4096"},{"host":"web2","check":"systemd","kind":"good","message":"systemd 252 runs"},{"host":"web2","check":"commands","kind":"good","message":"every command that netops calls is there"},{"host":"web2","check":"cpu","kind":"good","message":"1 processor"},{"host":"web2","check":"memory","kind":"good","message":"2929 MiB of 3906 MiB memory available"},{"host":"web2","check":"disk","kind":"good","message":"80.0 GB free on / (releases, data)"},{"host":"web2","check":"disk","kind":"good","message":"50.0 GB free on /var/log (logs)"},{"host":"web2","check":"configuration","kind":"good","message":"a valid configuration, with 2 ports"},{"host":"web2","check":"ports","kind":"good","message":"port 8081 is free"},{"host":"web2","check":"ports","kind":"good","message":"port 9090 is free"},{"host":"web2","check":"clock","kind":"good","message":"the clock agrees with this machine and follows a time source"},{"host":"web2","check":"dns","kind":"good","message":"it resolves its own name"},{"host":"web2","check":"peers","kind":"warning","message":"db1 (10.0.0.21 port 22) does not answer this host either"},{"host":"web2","check":"security","kind":"good","message":"SELinux is not enforcing, AppArmor is there and does not confine the service"},{"host":"db1","check":"connect","kind":"problem","message":"connection refused","remedy":"is its sshd running?"}]}"`,
    )
  })
})
