// The values of each tuning profile, each with the sentence that explains it.
import { scaleFor, threadsFor, threadsReason, type HostSize } from './scale.ts'
import { kindOf, type TuningOptions } from './tuning.ts'

export interface WantedSetting {
  readonly name: string
  readonly value: string
  readonly reason: string
}

/** guide: Linux Kernel Parameters, word for word. */
export const guideKernel: Readonly<Record<string, string>> = {
  'net.core.somaxconn': '65535',
  'net.core.netdev_max_backlog': '65535',
  'net.ipv4.tcp_max_syn_backlog': '65535',
  'net.ipv4.tcp_fin_timeout': '30',
  'net.ipv4.tcp_keepalive_time': '300',
  'net.ipv4.tcp_tw_reuse': '1',
  'net.ipv4.ip_local_port_range': '10000 65000',
  'fs.file-max': '2097152',
  'fs.nr_open': '2097152',
  'vm.max_map_count': '262144',
  'vm.swappiness': '10',
}

/** guide: Resource Limits. */
const guideLimits = { nofile: '1000000', nproc: '32768' }

// What each parameter is for; Documentation/admin-guide/sysctl and Documentation/networking/ip-sysctl of the kernel.
const purposes: Readonly<Record<string, string>> = {
  'net.core.somaxconn': 'connections that wait to be accepted in a burst are kept, not refused',
  'net.core.netdev_max_backlog': 'packets that wait for a busy core are kept, not dropped',
  'net.ipv4.tcp_max_syn_backlog': 'half-open connections of a burst are kept, not dropped',
  'net.ipv4.tcp_fin_timeout': 'sockets whose other side has gone away are given up after 30 s instead of 60 s',
  'net.ipv4.tcp_keepalive_time': 'a peer that vanished is noticed after five idle minutes instead of two hours',
  'net.ipv4.tcp_tw_reuse': 'ports of closed outgoing connections can be used again at once',
  'net.ipv4.ip_local_port_range': 'room for 55000 outgoing connections to one address',
  'fs.file-max': 'the whole system may have as many files and sockets open',
  'fs.nr_open': 'one process may be allowed as many files and sockets',
  'vm.max_map_count': 'a process with many threads and mappings does not run out of them',
  'vm.swappiness': 'the kernel gives up cached files before it swaps out the service',
}
const guideSource = 'guide: Linux Kernel Parameters'

/** Settings of which less than the kernel has now takes something away. */
const capacities = new Set([
  'net.core.somaxconn',
  'net.core.netdev_max_backlog',
  'net.ipv4.tcp_max_syn_backlog',
  'fs.file-max',
  'fs.nr_open',
  'vm.max_map_count',
])

/** The guide's figures that no key of the server's configuration takes; they are told, not set. */
export const guidePools: readonly WantedSetting[] = [
  {
    name: 'connection pool',
    value: 'at least 10, at most 100, idle 60 s, checkout 5 s, validated on checkout',
    reason: 'guide: Connection Pooling',
  },
  { name: 'object pool', value: 'at most 1000', reason: 'guide: Memory Management' },
  {
    name: 'database pool',
    value: 'at most 20, at least 5 idle, idle 300000 ms, checkout 30000 ms',
    reason: 'guide: Database Scaling',
  },
]

/** The value of a kernel parameter before anything was tuned, where it is known. */
export type Before = (key: string) => string | undefined

/** What is wanted of a host: the profile's settings in their order, then those that were named; without the skipped ones. */
export function wantedSettings(wish: TuningOptions, size: HostSize, before: Before): readonly WantedSetting[] {
  const ofProfile = wish.profile === 'guide' ? guideSettings(size) : sizedSettings(size, before)
  const named = Object.entries(wish.set).map(([name, value]) => ({ name, value, reason: 'given with --set' }))
  const all = new Map([...ofProfile, ...named].map((setting) => [setting.name, setting]))
  return [...all.values()].filter(({ name }) => !wish.skip.includes(name))
}

/** Every name that a profile sets; the same on every host. */
export const namesOf = (profile: TuningOptions['profile']): readonly string[] =>
  wantedSettings({ profile, skip: [], set: {} }, { cores: 1, memoryBytes: 2 ** 30 }, () => undefined).map(
    ({ name }) => name,
  )

/** Whether a setting lowers what the host could do before. */
export function lowers({ name, value }: WantedSetting, now: string | undefined): boolean {
  return kindOf(name) === 'kernel' && capacities.has(name) && now !== undefined && isLess(value, now)
}

// Values such as 9223372036854775807, which systemd gives fs.file-max, are beyond exact numbers.
const isLess = (one: string, other: string): boolean =>
  /^\d{1,30}$/.test(one) && /^\d{1,30}$/.test(other) && BigInt(one) < BigInt(other)

function guideSettings({ cores }: HostSize): readonly WantedSetting[] {
  return [
    ...Object.entries(guideKernel).map(([name, value]) => fromGuide(name, value)),
    { name: 'nofile', value: guideLimits.nofile, reason: 'files and sockets of the service (guide: Resource Limits)' },
    {
      name: 'nproc',
      value: guideLimits.nproc,
      reason: 'processes and threads of the service (guide: Resource Limits)',
    },
    { name: 'server.worker_threads', value: String(threadsFor(cores)), reason: threadsReason(cores) },
    {
      name: 'performance.connection_pool_size',
      value: '100',
      reason: 'at most 100 pooled connections (guide: Connection Pooling, Configuration Structure)',
    },
  ]
}

const fromGuide = (name: string, value: string): WantedSetting => ({
  name,
  value,
  reason: `${purposes[name] ?? 'as the guide has it'} (${guideSource})`,
})

function sizedSettings(size: HostSize, before: Before): readonly WantedSetting[] {
  const scale = scaleFor(size)
  const connections = scale.maxConnections.value
  const backlog = clamp(powerOfTwoAbove(connections), 4096, 65_535)
  const perCore = clamp(2048 * size.cores, 2048, 65_535)
  const files = clamp(powerOfTwoAbove(4 * connections), 65_536, 1_000_000)
  const byMemory = Math.floor(size.memoryBytes / 1024 / 10)
  const sized: readonly WantedSetting[] = [
    {
      name: 'net.core.somaxconn',
      value: String(backlog),
      reason: `the power of two above ${connections} connections, at least the kernel's 4096 (ip-sysctl, since 5.4), at most the guide's 65535`,
    },
    {
      name: 'net.core.netdev_max_backlog',
      value: String(perCore),
      reason: `2048 for each of ${size.cores} cores, at most the guide's 65535: the queue of one core (kernel: sysctl/net, default 1000) grows with the traffic that many cores serve`,
    },
    {
      name: 'net.ipv4.tcp_max_syn_backlog',
      value: String(backlog),
      reason: 'as net.core.somaxconn: a connection is half-open before it waits to be accepted',
    },
    ...[
      'net.ipv4.tcp_fin_timeout',
      'net.ipv4.tcp_keepalive_time',
      'net.ipv4.tcp_tw_reuse',
      'net.ipv4.ip_local_port_range',
    ].map(asInGuide),
    {
      name: 'fs.file-max',
      value: atLeast(before('fs.file-max'), Math.max(byMemory, 2 * files)),
      reason: `a file for each 10 KiB of memory, the kernel's own rule (fs/file_table.c), twice the service's limit, and never less than the kernel had`,
    },
    {
      name: 'fs.nr_open',
      value: atLeast(before('fs.nr_open'), Math.max(1_048_576, files)),
      reason: `the kernel's 1048576 (kernel: sysctl/fs), at least the service's limit, and never less than the kernel had`,
    },
    asInGuide('vm.max_map_count'),
    asInGuide('vm.swappiness'),
    {
      name: 'nofile',
      value: String(files),
      reason: `the power of two above four for each of ${connections} connections (its socket, a file, one to another server, one to spare), from 65536 to the guide's 1000000`,
    },
    {
      name: 'nproc',
      value: guideLimits.nproc,
      reason: 'processes and threads of the service, whatever the size (guide: Resource Limits)',
    },
    { name: 'server.worker_threads', ...asText(scale.workerThreads) },
    { name: 'server.max_connections', ...asText(scale.maxConnections) },
    { name: 'performance.connection_pool_size', ...asText(scale.connectionPoolSize) },
    { name: 'performance.buffer_size', ...asText(scale.bufferSize) },
  ]
  return sized
}

const asInGuide = (name: string): WantedSetting => ({
  name,
  value: guideKernel[name] ?? '',
  reason: `${purposes[name] ?? 'as the guide has it'}, whatever the size (${guideSource})`,
})

const asText = ({ value, reason }: { value: number; reason: string }) => ({ value: String(value), reason })
const clamp = (amount: number, least: number, most: number): number => Math.min(most, Math.max(least, amount))
const powerOfTwoAbove = (amount: number): number => 2 ** Math.floor(Math.log2(amount) + 1)
const atLeast = (before: string | undefined, amount: number): string =>
  before !== undefined && isLess(String(amount), before) ? before : String(amount)
