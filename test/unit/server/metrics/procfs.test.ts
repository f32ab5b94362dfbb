import { describe, expect, it } from 'vitest'
import { diskTrafficIn, memoryIn, networkTrafficIn } from '../../../../src/server/metrics/procfs.ts'

describe('the kernel’s figures', () => {
  it('are read from /proc/PID/status', () => {
    const status = 'Name:\tnode\nVmPeak:\t  99999 kB\nVmRSS:\t   1024 kB\nVmStk:\t     132 kB\n'
    expect(memoryIn(status)).toEqual({ resident: 1_048_576, stack: 135_168 })
    expect(memoryIn('')).toEqual({ resident: undefined, stack: undefined })
  })

  it('are read from /proc/PID/io, as what reached the disk', () => {
    const io = 'rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: 4096\nwrite_bytes: 8192\ncancelled_write_bytes: 5\n'
    expect(diskTrafficIn(io)).toEqual({ read: 4096, written: 8192 })
    expect(diskTrafficIn('')).toBeUndefined()
  })

  it('add IPv4 and IPv6 of the whole namespace', () => {
    const traffic = networkTrafficIn({
      snmp: 'Ip: Forwarding InReceives OutRequests\nIp: 2 10 20\nIcmp: InMsgs\nIcmp: 1\n',
      netstat: 'TcpExt: A\nTcpExt: 1\nIpExt: InNoRoutes InOctets OutOctets\nIpExt: 0 1000 2000\n',
      snmp6: 'Ip6InReceives                   \t1\nIp6OutRequests \t2\nIp6InOctets \t100\nIp6OutOctets\t200\n',
    })
    expect(traffic).toEqual({ bytesIn: 1100, bytesOut: 2200, packetsIn: 11, packetsOut: 22 })
    expect(networkTrafficIn({ snmp: '', netstat: '', snmp6: '' })).toEqual({
      ...{ bytesIn: 0, bytesOut: 0, packetsIn: 0, packetsOut: 0 },
    })
  })
})
