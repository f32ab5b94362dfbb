// What is counted once for the whole process, in the main thread: the kernel's figures, and what the parts of the service say
// of themselves when they are asked.
import { cpus } from 'node:os'
import { getHeapStatistics } from 'node:v8'
import {
  collectDefaultMetrics,
  Counter,
  Gauge,
  Registry,
  type CounterConfiguration,
  type GaugeConfiguration,
} from 'prom-client'
import { readTextIfAnyNow } from '../../system/files.ts'
import type { CheckName, HealthStatus } from '../health.ts'
import { memoryHelp, watchEventLoop } from './thread.ts'
import { diskTrafficIn, memoryIn, networkTrafficIn } from './procfs.ts'

export interface Build {
  readonly version: string
  readonly commit: string
  readonly release: string
}

/** What the store counts (store/counted.ts), under the names that this knows; what is missing has no figures. */
export interface StoreReading {
  /** Connections to the database; not there where it is a file. */
  readonly connectionsOpen?: number | undefined
  readonly connectionsIdle?: number | undefined
  readonly connectionsWaiting?: number | undefined
  readonly replicasUsed?: number | undefined
  readonly replicasLeftOut?: number | undefined
  /** Writes that wait for the next transaction. */
  readonly waiting?: number | undefined
  readonly writes?: number | undefined
  readonly commits?: number | undefined
  readonly commitSeconds?: number | undefined
}

export interface CheckpointReading {
  /** When the last one was whole, in ms since 1970. */
  readonly lastSuccessMs: number
  readonly seconds: number
  readonly bytes: number
}

export interface LogReading {
  /** Lines of the server log by level. */
  readonly lines: Readonly<Record<string, number>>
  readonly accessLines: number
  /** Lines that serving threads had no room for. */
  readonly lostInThreads: number
  /** Where lines go: as many as the configuration names. */
  readonly outputs: readonly { readonly name: string; readonly lost: number; readonly failing: boolean }[]
}

/** What is asked at each scrape. What is left out has no figures. */
export interface ProcessSources {
  readonly build: Build
  readonly connections: () => { readonly active: number; readonly requests: number; readonly limit: number }
  /** Bytes that the process may have: the control group's, or the machine's. */
  readonly memoryLimit: () => number
  /** Threads that run, by what they do, and how many have died so far. */
  readonly threads: () => {
    readonly running: Readonly<Record<string, number>>
    readonly deaths: number
  }
  readonly health: () => Promise<HealthStatus>
  readonly maintenance: () => boolean
  readonly role: () => 'primary' | 'standby'
  /** Free bytes by what is kept there: `data`, `log`. */
  readonly freeDisk: () => Promise<Readonly<Record<string, number>>>
  readonly store: () => Promise<StoreReading>
  /** Most connections to the database; 0 where it is a file. */
  readonly poolLimit: number
  /** The certificates that are served, by what they are for, with the end of their validity in ms since 1970. */
  readonly certificates: () => Readonly<Record<string, number>>
  /** Undefined where none are taken. */
  readonly checkpointIntervalMs: () => number | undefined
  readonly checkpoint: () => { readonly last: CheckpointReading | undefined; readonly failures: number }
  readonly log: () => LogReading
}

/** The registry of the process; each figure is read when it is asked for. */
export function createProcessMetrics(sources: ProcessSources): Registry {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  // Gauges with the ending of a counter, which promtool refuses; how many of what, their kin says by type.
  for (const name of ['handles', 'requests', 'resources']) registry.removeSingleMetric(`nodejs_active_${name}_total`)
  // prom-client leaves it out of sums, and of what this process adds up there is one of it.
  registry.removeSingleMetric('process_start_time_seconds')
  watchEventLoop(registry, 'main')
  const make = makers(registry)
  addKernelFigures(make, sources)
  addThreads(make, sources)
  addHealth(make, sources)
  addState(make, sources)
  addStore(make, sources)
  return registry
}

type Labels = Readonly<Record<string, string>>
/** A figure with its labels; undefined where there is none now. */
type Reading = readonly (readonly [Labels, number | undefined])[]
interface About {
  readonly help: string
  readonly labels?: readonly string[]
}
type Make = (name: string, about: About, read: () => Reading | Promise<Reading>) => void

interface Makers {
  readonly gauge: Make
  /** Of something that counts by itself. */
  readonly counter: Make
}

function makers(registry: Registry): Makers {
  const configured = (name: string, { help, labels = [] }: About) => ({
    ...{ name, help, labelNames: [...labels], registers: [registry] },
  })
  return {
    gauge(name, about, read) {
      const configuration: GaugeConfiguration<string> = {
        ...configured(name, about),
        async collect() {
          this.reset()
          for (const [labels, value] of await read()) {
            if (value !== undefined) this.set(labels, value)
            // One without labels is 0 from the beginning.
            else this.remove(labels)
          }
        },
      }
      new Gauge(configuration)
    },
    counter(name, about, read) {
      const configuration: CounterConfiguration<string> = {
        ...configured(name, about),
        async collect() {
          this.reset()
          for (const [labels, value] of await read()) if (value !== undefined) this.inc(labels, value)
        },
      }
      new Counter(configuration)
    },
  }
}

const proc = (name: string): string => {
  try {
    return readTextIfAnyNow(`/proc/${name}`) ?? ''
  } catch {
    // A kernel or a sandbox that does not let us read it: the figure is left out, and the others are told.
    return ''
  }
}

function addKernelFigures({ gauge, counter }: Makers, { build, connections, memoryLimit }: ProcessSources): void {
  gauge(
    'network_build_info',
    { help: 'Always 1; the labels say what is running', labels: ['version', 'commit', 'release'] },
    () => [[{ ...build }, 1]],
  )
  const startedSeconds = performance.timeOrigin / 1000
  gauge('process_start_time_seconds', { help: 'When the process was started, in seconds since 1970' }, () => [
    [{}, startedSeconds],
  ])
  gauge('network_connections_active', { help: 'Active connection count' }, () => [[{}, connections().active]])
  gauge('network_connections_limit', { help: 'server.max_connections' }, () => [[{}, connections().limit]])
  gauge('network_requests_active', { help: 'Requests that are answered or still arriving' }, () => [
    [{}, connections().requests],
  ])
  counter(
    'network_cpu_seconds_total',
    { help: "What the host's processors did, by core and mode", labels: ['core', 'mode'] },
    () =>
      cpus().flatMap(({ times }, core) =>
        Object.entries(times).map(([mode, ms]) => [{ core: String(core), mode }, ms / 1000] as const),
      ),
  )
  gauge('network_memory_bytes', { help: memoryHelp, labels: ['kind'] }, () => {
    const { resident, stack } = memoryIn(proc('self/status'))
    return [
      [{ kind: 'rss' }, resident],
      [{ kind: 'stack' }, stack],
      // The main thread's; the others add theirs.
      [{ kind: 'heap' }, getHeapStatistics().used_heap_size],
    ]
  })
  gauge('network_memory_limit_bytes', { help: "The control group's limit, or the machine's memory" }, () => [
    [{}, memoryLimit()],
  ])
  const traffic = () =>
    networkTrafficIn({ snmp: proc('net/snmp'), netstat: proc('net/netstat'), snmp6: proc('net/snmp6') })
  counter(
    'network_io_bytes_total',
    { help: "Bytes of IP packets of the host, or of the container's network", labels: ['direction'] },
    () => {
      const { bytesIn, bytesOut } = traffic()
      return directions(bytesIn, bytesOut)
    },
  )
  counter(
    'network_io_packets_total',
    { help: "IP packets of the host, or of the container's network", labels: ['direction'] },
    () => {
      const { packetsIn, packetsOut } = traffic()
      return directions(packetsIn, packetsOut)
    },
  )
  counter(
    'network_disk_io_bytes_total',
    { help: 'Bytes that the process read from disks and wrote to them', labels: ['operation'] },
    () => {
      const disk = diskTrafficIn(proc('self/io'))
      return [
        [{ operation: 'read' }, disk?.read],
        [{ operation: 'write' }, disk?.written],
      ]
    },
  )
}

const inSeconds = (ms: number | undefined): number | undefined => (ms === undefined ? undefined : ms / 1000)

const directions = (into: number, out: number): Reading => [
  [{ direction: 'in' }, into],
  [{ direction: 'out' }, out],
]

function addThreads({ gauge, counter }: Makers, { threads }: ProcessSources): void {
  gauge('network_threads', { help: 'Threads that run, by what they do', labels: ['kind'] }, () =>
    Object.entries(threads().running).map(([kind, count]) => [{ kind }, count] as const),
  )
  counter('network_thread_deaths_total', { help: 'Threads that ended by an error; the process ends with them' }, () => [
    [{}, threads().deaths],
  ])
}

function addHealth({ gauge }: Makers, { health }: ProcessSources): void {
  gauge('network_health_check', { help: 'Whether the check of /health holds: 1 or 0', labels: ['check'] }, async () =>
    perCheck((await health()).checks, (good) => (good ? 1 : 0)),
  )
  gauge(
    'network_health_check_seconds',
    { help: 'How long the check of /health took last', labels: ['check'] },
    async () => perCheck((await health()).details, ({ duration_ms: ms }) => ms / 1000),
  )
}

const perCheck = <Value>(all: Readonly<Record<CheckName, Value>>, figure: (one: Value) => number): Reading =>
  Object.entries(all).map(([check, one]) => [{ check }, figure(one)] as const)

function addState({ gauge, counter }: Makers, sources: ProcessSources): void {
  const { maintenance, role, freeDisk, certificates, checkpoint, checkpointIntervalMs, log } = sources
  gauge(
    'network_maintenance',
    { help: 'Whether new work is turned away because of the maintenance flag: 1 or 0' },
    () => [[{}, maintenance() ? 1 : 0]],
  )
  gauge('network_role', { help: '1 for the role that this server has', labels: ['role'] }, () => {
    const own = role()
    return (['primary', 'standby'] as const).map((one) => [{ role: one }, one === own ? 1 : 0] as const)
  })
  gauge(
    'network_disk_free_bytes',
    { help: 'What the service may still write, by what is kept there', labels: ['place'] },
    async () => Object.entries(await freeDisk()).map(([place, bytes]) => [{ place }, bytes] as const),
  )
  gauge(
    'network_certificate_expiry_timestamp_seconds',
    { help: 'When a certificate that is served ceases to be valid, in seconds since 1970', labels: ['certificate'] },
    () => Object.entries(certificates()).map(([certificate, ms]) => [{ certificate }, ms / 1000] as const),
  )
  gauge(
    'network_checkpoint_last_success_timestamp_seconds',
    { help: 'When the last checkpoint was whole, in seconds since 1970; 0 where there is none' },
    () => [[{}, (checkpoint().last?.lastSuccessMs ?? 0) / 1000]],
  )
  gauge('network_checkpoint_last_duration_seconds', { help: 'How long the last checkpoint took' }, () => [
    [{}, checkpoint().last?.seconds ?? 0],
  ])
  gauge('network_checkpoint_last_size_bytes', { help: 'How large the last checkpoint is' }, () => [
    [{}, checkpoint().last?.bytes ?? 0],
  ])
  gauge('network_checkpoint_interval_seconds', { help: 'checkpoint.interval; absent where none are taken' }, () => [
    [{}, inSeconds(checkpointIntervalMs())],
  ])
  counter('network_checkpoint_failures_total', { help: 'Checkpoints that failed since the start' }, () => [
    [{}, checkpoint().failures],
  ])
  counter('network_log_lines_total', { help: 'Lines of the logs', labels: ['log', 'level'] }, () => {
    const { lines, accessLines } = log()
    return [
      ...Object.entries(lines).map(([level, count]) => [{ log: 'server', level }, count] as const),
      [{ log: 'access', level: 'INFO' }, accessLines],
    ]
  })
  counter(
    'network_log_lines_dropped_total',
    { help: 'Lines that an output could not take; threads: before they came to any', labels: ['output'] },
    () => {
      const { lostInThreads, outputs } = log()
      return [
        [{ output: 'threads' }, lostInThreads],
        ...outputs.map(({ name, lost }) => [{ output: name }, lost] as const),
      ]
    },
  )
  gauge(
    'network_log_output_failing',
    { help: 'Whether an output takes no lines now: 1 or 0', labels: ['output'] },
    () => log().outputs.map(({ name, failing }) => [{ output: name }, failing ? 1 : 0] as const),
  )
}

function addStore({ gauge, counter }: Makers, { store, poolLimit }: ProcessSources): void {
  gauge(
    'network_queue_depth',
    { help: 'What waits in a queue; store: requests that wait for the database', labels: ['queue'] },
    async () => {
      const { waiting, connectionsWaiting } = await store()
      return [[{ queue: 'store' }, waiting ?? connectionsWaiting ?? 0]]
    },
  )
  gauge(
    'network_pool_connections',
    { help: 'Connections to the database by state; waiting: requests that wait for one', labels: ['state'] },
    async () => {
      const { connectionsOpen: open, connectionsIdle: idle, connectionsWaiting: waiting } = await store()
      return [
        [{ state: 'in_use' }, open === undefined ? undefined : open - (idle ?? 0)],
        [{ state: 'idle' }, idle],
        [{ state: 'waiting' }, waiting],
      ]
    },
  )
  gauge(
    'network_pool_connections_limit',
    { help: 'Most connections to the database and its replicas; 0 where it is a file' },
    () => [[{}, poolLimit]],
  )
  gauge(
    'network_store_replicas',
    { help: 'Replicas that are read from (used), and those that are not well or too far behind', labels: ['state'] },
    async () => {
      const { replicasUsed, replicasLeftOut } = await store()
      return [
        [{ state: 'used' }, replicasUsed],
        [{ state: 'left_out' }, replicasLeftOut],
      ]
    },
  )
  const counts = [
    ['network_store_writes_total', 'Writes of the embedded database', 'writes'],
    [
      'network_store_commits_total',
      'Transactions of the embedded database, each of which waits for the disk',
      'commits',
    ],
    ['network_store_commit_seconds_total', 'How long those transactions took', 'commitSeconds'],
  ] as const
  for (const [name, help, key] of counts) counter(name, { help }, async () => [[{}, (await store())[key] ?? 0]])
}
