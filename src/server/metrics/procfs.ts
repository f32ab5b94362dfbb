// What the kernel counts for this process and its network namespace: texts of proc(5) to numbers. Pure.

/** Bytes of a process's memory. */
export interface ProcessMemory {
  readonly resident: number | undefined
  /** Of the main thread; those of the others belong to anonymous memory. */
  readonly stack: number | undefined
}

/** Of /proc/PID/status. */
export function memoryIn(status: string): ProcessMemory {
  const kilobytes = (name: string): number | undefined => {
    const found = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]
    return found === undefined ? undefined : Number(found) * 1024
  }
  return { resident: kilobytes('VmRSS'), stack: kilobytes('VmStk') }
}

export interface DiskTraffic {
  readonly read: number
  readonly written: number
}

/** Of /proc/PID/io: what really went to and came from the disk. */
export function diskTrafficIn(io: string): DiskTraffic | undefined {
  const [read, written] = ['read_bytes', 'write_bytes'].map(
    (name) => new RegExp(`^${name}: (\\d+)$`, 'm').exec(io)?.[1],
  )
  return read === undefined || written === undefined ? undefined : { read: Number(read), written: Number(written) }
}

export interface NetworkTraffic {
  readonly bytesIn: number
  readonly bytesOut: number
  readonly packetsIn: number
  readonly packetsOut: number
}

/**
 * What went through the network namespace by IPv4 and IPv6, over all its devices, loopback too. Not the sum of the devices'
 * own counters (/proc/net/dev): a bond and its parts would count twice, and a device that goes away would take its count along,
 * which looks like a restart.
 * @param texts of /proc/net/snmp, /proc/net/netstat and /proc/net/snmp6; '' where one is not there
 */
export function networkTrafficIn(texts: { snmp: string; netstat: string; snmp6: string }): NetworkTraffic {
  const [ip, ipExt, ip6] = [rowIn(texts.snmp, 'Ip'), rowIn(texts.netstat, 'IpExt'), listIn(texts.snmp6)]
  return {
    bytesIn: (ipExt.get('InOctets') ?? 0) + (ip6.get('Ip6InOctets') ?? 0),
    bytesOut: (ipExt.get('OutOctets') ?? 0) + (ip6.get('Ip6OutOctets') ?? 0),
    packetsIn: (ip.get('InReceives') ?? 0) + (ip6.get('Ip6InReceives') ?? 0),
    packetsOut: (ip.get('OutRequests') ?? 0) + (ip6.get('Ip6OutRequests') ?? 0),
  }
}

/** A line of names and a line of numbers below it, both of which begin with `NAME:`. */
function rowIn(text: string, name: string): ReadonlyMap<string, number> {
  const [names, numbers] = text.split('\n').filter((line) => line.startsWith(`${name}: `))
  const values = numbers?.split(' ') ?? []
  return new Map((names?.split(' ') ?? []).slice(1).map((key, index) => [key, Number(values[index + 1])]))
}

const listIn = (text: string): ReadonlyMap<string, number> =>
  new Map([...text.matchAll(/^(\w+)\s+(\d+)$/gm)].map(([, key = '', value]) => [key, Number(value)]))
