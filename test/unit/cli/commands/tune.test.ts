import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fakeConnections, unreachable, type FakeHost } from '../../../support/fake-hosts.ts'
import { runCommand } from '../../../support/run-in-process.ts'
import { smallFleet, type SmallFleet } from '../../../support/small-fleet.ts'

let fleet: SmallFleet
beforeAll(async () => {
  fleet = await smallFleet()
})
afterAll(() => fleet.remove())

const untuned = (files: Record<string, string> = {}): FakeHost => ({
  files,
  commands: [
    [/^nproc$/, { stdout: '2\n' }],
    [/^grep -m1 \^MemTotal: /, { stdout: 'MemTotal:        4194304 kB\n' }],
    [/^env TZ=UTC systemctl show /, { stdout: 'LoadState=not-found\nActiveState=inactive\n' }],
    [/^systemctl show /, { stdout: 'LoadState=not-found\n' }],
    [
      /^grep -asHZ  .*\/proc\/sys\/vm\/swappiness/,
      { stdout: '/proc/sys/vm/swappiness\x0060\n/proc/sys/net/core/somaxconn\x004096\n' },
    ],
    [/^find \/proc\/sys/, { stdout: '' }],
    [/^(grep|find|stat|getent) /, { code: 1 }],
  ],
})
const record = {
  schema: 'netops/tuning/v1',
  run: '20261123T104501Z-tune-3f9a.web2',
  profile: 'guide',
  kernel: { 'vm.swappiness': '10' },
  limits: {},
  server: {},
  notSet: { 'fs.nr_open': 'it is read-only here' },
  files: {},
  originals: { kernel: { 'vm.swappiness': '60' }, files: {}, folders: [] },
}
const connections = fakeConnections({
  web1: untuned(),
  web2: untuned({ '/var/lib/netops/tuning.json': JSON.stringify(record) }),
  db1: unreachable,
})
const netops = (words: string) => runCommand(words, { cwd: fleet.cwd, connections })

describe('netops tune show', () => {
  it('shows what each host has and who set it', async () => {
    const { exit, stdout, stderr } = await netops('tune show --hosts web1,db1')
    expect({ exit, stderr }).toEqual({ exit: 4, stderr: '' })
    expect(stdout).toMatchInlineSnapshot(`
      "web1:
        kernel parameters
          net.core.somaxconn                -     the kernel lacks it
          net.core.netdev_max_backlog       -     the kernel lacks it
          net.ipv4.tcp_max_syn_backlog      -     the kernel lacks it
          net.ipv4.tcp_fin_timeout          -     the kernel lacks it
          net.ipv4.tcp_keepalive_time       -     the kernel lacks it
          net.ipv4.tcp_tw_reuse             -     the kernel lacks it
          net.ipv4.ip_local_port_range      -     the kernel lacks it
          fs.file-max                       -     the kernel lacks it
          fs.nr_open                        -     the kernel lacks it
          vm.max_map_count                  -     the kernel lacks it
          vm.swappiness                     -     the kernel lacks it
        limits of the service
          nofile                            -     the service is not installed yet
          nproc                             -     the service is not installed yet
        threads and pools
          server.worker_threads             -     the server's default
          server.max_connections            1000  the server's default
          performance.connection_pool_size  100   the server's default
          performance.buffer_size           -     the server's default
      db1: connection refused
        hint: is its sshd running?
      The guide's pools, which no key of the server's configuration sets:
          connection pool  at least 10, at most 100, idle 60 s, checkout 5 s, validated on checkout  (guide: Connection Pooling)
          object pool      at most 1000                                                              (guide: Memory Management)
          database pool    at most 20, at least 5 idle, idle 300000 ms, checkout 30000 ms            (guide: Database Scaling)
      "
    `)
    expect((await netops('tune show --hosts web1,db1 --json')).json).toMatchInlineSnapshot(
      `"{"schema":"netops/v1","command":"tune show","ok":false,"outcome":"unreachable","hosts":[{"host":"web1","settings":[{"name":"net.core.somaxconn","kind":"kernel","now":null,"from":"the kernel lacks it"},{"name":"net.core.netdev_max_backlog","kind":"kernel","now":null,"from":"the kernel lacks it"},{"name":"net.ipv4.tcp_max_syn_backlog","kind":"kernel","now":null,"from":"the kernel lacks it"},{"name":"net.ipv4.tcp_fin_timeout","kind":"kernel","now":null,"from":"the kernel lacks it"},{"name":"net.ipv4.tcp_keepalive_time","kind":"kernel","now":null,"from":"the kernel lacks it"},{"name":"net.ipv4.tcp_tw_reuse","kind":"kernel","now":null,"from":"the kernel lacks it"},{"name":"net.ipv4.ip_local_port_range","kind":"kernel","now":null,"from":"the kernel lacks it"},{"name":"fs.file-max","kind":"kernel","now":null,"from":"the kernel lacks it"},{"name":"fs.nr_open","kind":"kernel","now":null,"from":"the kernel lacks it"},{"name":"vm.max_map_count","kind":"kernel","now":null,"from":"the kernel lacks it"},{"name":"vm.swappiness","kind":"kernel","now":null,"from":"the kernel lacks it"},{"name":"nofile","kind":"limit","now":null,"from":"the service is not installed yet"},{"name":"nproc","kind":"limit","now":null,"from":"the service is not installed yet"},{"name":"server.worker_threads","kind":"server","now":null,"from":"the server's default"},{"name":"server.max_connections","kind":"server","now":"1000","from":"the server's default"},{"name":"performance.connection_pool_size","kind":"server","now":"100","from":"the server's default"},{"name":"performance.buffer_size","kind":"server","now":null,"from":"the server's default"}]},{"host":"db1","error":{"code":"unreachable","message":"connection refused","hint":"is its sshd running?"}}],"pools":[{"name":"connection pool","value":"at least 10, at most 100, idle 60 s, checkout 5 s, validated on checkout","source":"guide: Connection Pooling"},{"name":"object pool","value":"at most 1000","source":"guide: Memory Management"},{"name":"database pool","value":"at most 20, at least 5 idle, idle 300000 ms, checkout 30000 ms","source":"guide: Database Scaling"}]}"`,
    )
    expect(connections.open()).toBe(0)
  })
})

describe('netops tune plan', () => {
  it('shows what would be set and why', async () => {
    const { exit, stdout } = await netops('tune plan --hosts web1,db1 --set vm.swappiness=5 --skip fs.file-max')
    expect(exit).toBe(4)
    expect(stdout).toMatchInlineSnapshot(`
      "web1:
        kernel parameters
          net.core.somaxconn                -    ->  65535        PROBLEM
              connections that wait to be accepted in a burst are kept, not refused (guide: Linux Kernel Parameters)
              PROBLEM: this kernel has no such parameter, or does not show it here
          net.core.netdev_max_backlog       -    ->  65535        PROBLEM
              packets that wait for a busy core are kept, not dropped (guide: Linux Kernel Parameters)
              PROBLEM: this kernel has no such parameter, or does not show it here
          net.ipv4.tcp_max_syn_backlog      -    ->  65535        PROBLEM
              half-open connections of a burst are kept, not dropped (guide: Linux Kernel Parameters)
              PROBLEM: this kernel has no such parameter, or does not show it here
          net.ipv4.tcp_fin_timeout          -    ->  30           PROBLEM
              sockets whose other side has gone away are given up after 30 s instead of 60 s (guide: Linux Kernel Parameters)
              PROBLEM: this kernel has no such parameter, or does not show it here
          net.ipv4.tcp_keepalive_time       -    ->  300          PROBLEM
              a peer that vanished is noticed after five idle minutes instead of two hours (guide: Linux Kernel Parameters)
              PROBLEM: this kernel has no such parameter, or does not show it here
          net.ipv4.tcp_tw_reuse             -    ->  1            PROBLEM
              ports of closed outgoing connections can be used again at once (guide: Linux Kernel Parameters)
              PROBLEM: this kernel has no such parameter, or does not show it here
          net.ipv4.ip_local_port_range      -    ->  10000 65000  PROBLEM
              room for 55000 outgoing connections to one address (guide: Linux Kernel Parameters)
              PROBLEM: this kernel has no such parameter, or does not show it here
          fs.nr_open                        -    ->  2097152      PROBLEM
              one process may be allowed as many files and sockets (guide: Linux Kernel Parameters)
              PROBLEM: this kernel has no such parameter, or does not show it here
          vm.max_map_count                  -    ->  262144       PROBLEM
              a process with many threads and mappings does not run out of them (guide: Linux Kernel Parameters)
              PROBLEM: this kernel has no such parameter, or does not show it here
          vm.swappiness                     -    ->  5            PROBLEM
              given with --set
              PROBLEM: this kernel has no such parameter, or does not show it here
        limits of the service
          nofile                            -    ->  1000000      to be set
              files and sockets of the service (guide: Resource Limits)
          nproc                             -    ->  32768        to be set
              processes and threads of the service (guide: Resource Limits)
        threads and pools
          server.worker_threads             -    ->  4            to be set
              twice the 2 cores, at least 4 and at most 64 (guide: Thread Pool Tuning)
          performance.connection_pool_size  100  ->  100          to be set
              at most 100 pooled connections (guide: Connection Pooling, Configuration Structure)
              note: performance.connection_pool_size: this release has no pool
      db1: connection refused
        hint: is its sshd running?
      The guide's pools, which no key of the server's configuration sets:
          connection pool  at least 10, at most 100, idle 60 s, checkout 5 s, validated on checkout  (guide: Connection Pooling)
          object pool      at most 1000                                                              (guide: Memory Management)
          database pool    at most 20, at least 5 idle, idle 300000 ms, checkout 30000 ms            (guide: Database Scaling)
      "
    `)
    expect((await netops('tune plan --hosts web1 --profile sized --json')).json).toMatchInlineSnapshot(
      `"{"schema":"netops/v1","command":"tune plan","ok":true,"outcome":"done","hosts":[{"host":"web1","profile":"sized","settings":[{"name":"net.core.somaxconn","value":"4096","reason":"the power of two above 1000 connections, at least the kernel's 4096 (ip-sysctl, since 5.4), at most the guide's 65535","kind":"kernel","now":null,"from":"the kernel lacks it","wanted":"4096","inEffect":false,"problems":["this kernel has no such parameter, or does not show it here"],"notes":[]},{"name":"net.core.netdev_max_backlog","value":"4096","reason":"2048 for each of 2 cores, at most the guide's 65535: the queue of one core (kernel: sysctl/net, default 1000) grows with the traffic that many cores serve","kind":"kernel","now":null,"from":"the kernel lacks it","wanted":"4096","inEffect":false,"problems":["this kernel has no such parameter, or does not show it here"],"notes":[]},{"name":"net.ipv4.tcp_max_syn_backlog","value":"4096","reason":"as net.core.somaxconn: a connection is half-open before it waits to be accepted","kind":"kernel","now":null,"from":"the kernel lacks it","wanted":"4096","inEffect":false,"problems":["this kernel has no such parameter, or does not show it here"],"notes":[]},{"name":"net.ipv4.tcp_fin_timeout","value":"30","reason":"sockets whose other side has gone away are given up after 30 s instead of 60 s, whatever the size (guide: Linux Kernel Parameters)","kind":"kernel","now":null,"from":"the kernel lacks it","wanted":"30","inEffect":false,"problems":["this kernel has no such parameter, or does not show it here"],"notes":[]},{"name":"net.ipv4.tcp_keepalive_time","value":"300","reason":"a peer that vanished is noticed after five idle minutes instead of two hours, whatever the size (guide: Linux Kernel Parameters)","kind":"kernel","now":null,"from":"the kernel lacks it","wanted":"300","inEffect":false,"problems":["this kernel has no such parameter, or does not show it here"],"notes":[]},{"name":"net.ipv4.tcp_tw_reuse","value":"1","reason":"ports of closed outgoing connections can be used again at once, whatever the size (guide: Linux Kernel Parameters)","kind":"kernel","now":null,"from":"the kernel lacks it","wanted":"1","inEffect":false,"problems":["this kernel has no such parameter, or does not show it here"],"notes":[]},{"name":"net.ipv4.ip_local_port_range","value":"10000 65000","reason":"room for 55000 outgoing connections to one address, whatever the size (guide: Linux Kernel Parameters)","kind":"kernel","now":null,"from":"the kernel lacks it","wanted":"10000 65000","inEffect":false,"problems":["this kernel has no such parameter, or does not show it here"],"notes":[]},{"name":"fs.file-max","value":"419430","reason":"a file for each 10 KiB of memory, the kernel's own rule (fs/file_table.c), twice the service's limit, and never less than the kernel had","kind":"kernel","now":null,"from":"the kernel lacks it","wanted":"419430","inEffect":false,"problems":["this kernel has no such parameter, or does not show it here"],"notes":[]},{"name":"fs.nr_open","value":"1048576","reason":"the kernel's 1048576 (kernel: sysctl/fs), at least the service's limit, and never less than the kernel had","kind":"kernel","now":null,"from":"the kernel lacks it","wanted":"1048576","inEffect":false,"problems":["this kernel has no such parameter, or does not show it here"],"notes":[]},{"name":"vm.max_map_count","value":"262144","reason":"a process with many threads and mappings does not run out of them, whatever the size (guide: Linux Kernel Parameters)","kind":"kernel","now":null,"from":"the kernel lacks it","wanted":"262144","inEffect":false,"problems":["this kernel has no such parameter, or does not show it here"],"notes":[]},{"name":"vm.swappiness","value":"10","reason":"the kernel gives up cached files before it swaps out the service, whatever the size (guide: Linux Kernel Parameters)","kind":"kernel","now":null,"from":"the kernel lacks it","wanted":"10","inEffect":false,"problems":["this kernel has no such parameter, or does not show it here"],"notes":[]},{"name":"nofile","value":"65536","reason":"the power of two above four for each of 1000 connections (its socket, a file, one to another server, one to spare), from 65536 to the guide's 1000000","kind":"limit","now":null,"from":"the service is not installed yet","wanted":"65536","inEffect":false,"problems":[],"notes":[]},{"name":"nproc","value":"32768","reason":"processes and threads of the service, whatever the size (guide: Resource Limits)","kind":"limit","now":null,"from":"the service is not installed yet","wanted":"32768","inEffect":false,"problems":[],"notes":[]},{"name":"server.worker_threads","value":"4","reason":"twice the 2 cores, at least 4 and at most 64 (guide: Thread Pool Tuning)","kind":"server","now":null,"from":"the server's default","wanted":"4","inEffect":false,"problems":[],"notes":[]},{"name":"server.max_connections","value":"1000","reason":"on the line from the guide's 1000 for 4 threads to its 10000 for 32 (guide: Vertical Scaling)","kind":"server","now":"1000","from":"the server's default","wanted":"1000","inEffect":false,"problems":[],"notes":[]},{"name":"performance.connection_pool_size","value":"100","reason":"a tenth of the connections, as in both configurations of the guide","kind":"server","now":"100","from":"the server's default","wanted":"100","inEffect":false,"problems":[],"notes":["performance.connection_pool_size: this release has no pool"]},{"name":"performance.buffer_size","value":"1048576","reason":"1 MiB (guide: Vertical Scaling); all 1000 together stay within half of 4 GiB","kind":"server","now":null,"from":"the server's default","wanted":"1048576","inEffect":false,"problems":[],"notes":["performance.buffer_size: this release leaves buffers to the system"]}]}],"pools":[{"name":"connection pool","value":"at least 10, at most 100, idle 60 s, checkout 5 s, validated on checkout","source":"guide: Connection Pooling"},{"name":"object pool","value":"at most 1000","source":"guide: Memory Management"},{"name":"database pool","value":"at most 20, at least 5 idle, idle 300000 ms, checkout 30000 ms","source":"guide: Database Scaling"}]}"`,
    )
  })

  it('refuses words that do not fit', async () => {
    expect((await netops('tune plan --skip vm.swapiness')).stderr).toMatchInlineSnapshot(`
      "netops: --skip vm.swapiness: the profile guide does not set it
        hint: did you mean vm.swappiness?
      "
    `)
    expect((await netops('tune plan --profile other')).stderr).toMatchInlineSnapshot(`
      "netops: --profile: Invalid option: expected one of "guide"|"sized"
        hint: see --help for what each option takes
      "
    `)
  })
})

describe('netops tune verify', () => {
  it('compares with what was applied', async () => {
    const { exit, stdout } = await netops('tune verify')
    expect(exit).toBe(7)
    expect(stdout).toMatchInlineSnapshot(`
      "web1: nothing was ever applied here, so there is nothing to compare with
        hint: netops tune plan shows what would be set, netops tune apply sets it
      web2:
        differs from profile guide:
          vm.swappiness: nothing; expected 10
        never set: fs.nr_open: it is read-only here
      db1: connection refused
        hint: is its sshd running?
      "
    `)
    expect(await netops('tune verify --hosts web2')).toMatchObject({ exit: 9 })
    expect((await netops('tune verify --json')).json).toMatchInlineSnapshot(
      `"{"schema":"netops/v1","command":"tune verify","ok":false,"outcome":"refused","hosts":[{"host":"web1","error":{"code":"refused","message":"nothing was ever applied here, so there is nothing to compare with","hint":"netops tune plan shows what would be set, netops tune apply sets it"}},{"host":"web2","profile":"guide","drift":[{"what":"vm.swappiness","expected":"10","found":"nothing"}],"notSet":{"fs.nr_open":"it is read-only here"}},{"host":"db1","error":{"code":"unreachable","message":"connection refused","hint":"is its sshd running?"}}]}"`,
    )
  })
})

describe('netops tune scale', () => {
  it('prints the configuration for a size', async () => {
    expect((await netops('tune scale --cpus 16 --memory 32GiB')).stdout).toMatchInlineSnapshot(`
      "# For 16 cores and 32768 MiB of memory (netops tune scale).
      server:
        # twice the 16 cores, at least 4 and at most 64 (guide: Thread Pool Tuning)
        worker_threads: 32
        # on the line from the guide's 1000 for 4 threads to its 10000 for 32 (guide: Vertical Scaling)
        max_connections: 10000

      performance:
        # a tenth of the connections, as in both configurations of the guide
        connection_pool_size: 1000
        # 1 MiB (guide: Vertical Scaling); all 10000 together stay within half of 32 GiB
        buffer_size: 1048576
      "
    `)
  })
})
