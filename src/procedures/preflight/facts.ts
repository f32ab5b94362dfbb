// What a host is like before anything is deployed to it: read by a few plain commands, each bounded in time.
import { join } from 'node:path'
import type { HostReader } from '../../drivers/hosts/port.ts'
import type { ServiceManager, ServiceState } from '../../drivers/services/port.ts'
import { inOrder } from '../deploy/history.ts'
import { activationRecord } from '../deploy/request.ts'
import { hostPaths, serverExecutable, serviceName } from '../../model/paths.ts'
import type { ProgramNeeds } from '../../model/program-needs.ts'
import { readTemplate } from '../../system/assets.ts'
import { listeningPorts } from '../deploy/facts.ts'
import { noexecIn } from '../ground.ts'
import { readEnvironment } from '../environment-mark.ts'
import { allCommands, glibcIn } from '../deploy/host-needs.ts'
import { readLacking } from '../deploy/program.ts'
import { parseJson } from '../../model/json.ts'

/** What lies on a file system that has to have room. */
export type Place = 'releases' | 'data' | 'logs'

export interface Disk {
  readonly place: Place
  /** Where the file system is mounted. */
  readonly mount: string
  readonly freeBytes: number
  readonly bytes: number
  readonly freeInodes: number
  /** 0 where the file system makes them as they are needed. */
  readonly inodes: number
}

export interface Listener {
  readonly port: number
  /** `nginx (pid 812)`; undefined where the host does not say. */
  readonly process: string | undefined
}

/** What the host says of itself, by one command; undefined where it does not say. */
export interface Look {
  readonly uid: number | undefined
  readonly user: string
  /** Whether sudo works without a password; only looked at where the user is not root. */
  readonly sudo: boolean
  /** `Linux`, `x86_64`, `6.1.0-18-amd64`: uname(1). */
  readonly system: string
  readonly machine: string
  readonly kernel: string
  readonly glibc: string | undefined
  readonly libraries: readonly string[]
  readonly missingCommands: readonly string[]
  /** Half a core counts as 0.5. */
  readonly cpus: number | undefined
  readonly memory: { readonly total: number; readonly available: number } | undefined
  readonly disks: readonly Disk[]
  /** Where file systems are mounted from which no program may be started. */
  readonly noexec: ReadonlySet<string>
  /** The size of the wanted release's executable, where the host has one. */
  readonly releaseBytes: number | undefined
  /** The ports of what was brought into service last. */
  readonly ownPorts: readonly number[]
  readonly listeners: readonly Listener[]
  /** Whether the clock follows a time source. */
  readonly synchronised: boolean | undefined
  readonly systemd: { readonly version: number | undefined; readonly state: string } | undefined
  readonly failedUnits: readonly string[]
  /** What is mounted on /sys/fs/cgroup: `cgroup2fs` is version 2, `tmpfs` holds version 1. */
  readonly cgroup: string
  readonly somaxconn: number | undefined
  readonly selinux: boolean
  readonly apparmor: boolean
}

/** How far the host's clock is ahead of this machine's, and how much of that may be the way there and back. */
export interface ClockOffset {
  readonly offsetMs: number
  readonly roundTripMs: number
}

/** Another host of the run, as this one may reach it. */
export interface Peer {
  readonly host: string
  readonly address: string
  /** sshd's: the one port that answers on every host of a fleet, whatever is deployed there. */
  readonly port: number
}

export interface Network {
  /** Whether the host finds its own name. */
  readonly own: { readonly name: string; readonly found: boolean } | undefined
  readonly names: readonly { readonly name: string; readonly found: boolean }[]
  /** `blind`: the host has no bash, or no timeout, to look with. */
  readonly peers: readonly { readonly peer: Peer; readonly answer: 'reached' | 'silent' | 'refused' | 'blind' }[]
}

export interface PreflightFacts extends Look {
  readonly clock: ClockOffset | undefined
  readonly network: Network
  readonly service: ServiceState
  /** What the host is marked as. */
  readonly environment: string | undefined
  /** What the release that is to come needs and the host lacks, in words. */
  readonly lacking: readonly string[]
}

export interface PreflightQuestion {
  /** The id of the release that is to come, where it is known. */
  readonly release: string | undefined
  readonly needs: ProgramNeeds | undefined
  /** The names that the configuration names. */
  readonly names: readonly string[]
  readonly peers: readonly Peer[]
  /** This machine's time, in milliseconds. */
  readonly now: () => number
}

/** Reads all of it from one host, which may never have seen netops. */
export async function readPreflightFacts(
  reader: HostReader,
  services: ServiceManager,
  question: PreflightQuestion,
): Promise<PreflightFacts> {
  const paths = hostPaths('/')
  // Alone: beside other commands the way there and back would take longer.
  const clock = await readClock(reader, question.now)
  const executable = join(paths.releases, question.release ?? 'none', serverExecutable)
  const places = [paths.releases, paths.dataDir, paths.logDir, paths.history, executable]
  const script = readTemplate('preflight/host.sh')
  const [look, network, service, environment, lacking] = await Promise.all([
    reader.query(['sh', '-c', script, 'preflight', ...places, ...allCommands]),
    readNetwork(reader, question),
    services.read(reader, serviceName),
    readEnvironment(reader, paths),
    readLacking(reader, services.kind, question.needs),
  ])
  return { ...parseLook(look.stdout), clock, network, service, environment, lacking }
}

// The quickest of a few is the one that least stood in a queue.
const clockLooks = 3

async function readClock(reader: HostReader, now: () => number): Promise<ClockOffset | undefined> {
  const seen: ClockOffset[] = []
  for (let look = 0; look < clockLooks; look += 1) {
    const asked = now()
    const { stdout } = await reader.query(['date', '+%s.%N'])
    const answered = now()
    const theirs = 1000 * Number.parseFloat(stdout)
    if (Number.isNaN(theirs)) return undefined
    seen.push({ offsetMs: theirs - (asked + answered) / 2, roundTripMs: answered - asked })
  }
  return seen.sort((a, b) => a.roundTripMs - b.roundTripMs)[0]
}

async function readNetwork(reader: HostReader, { names, peers }: PreflightQuestion): Promise<Network> {
  const script = readTemplate('preflight/network.sh')
  const places = peers.flatMap(({ address, port }) => [address, String(port)])
  const { stdout } = await reader.query(['sh', '-c', script, 'preflight', String(names.length), ...names, ...places])
  return parseNetwork(stdout, names, peers)
}

/** What templates/preflight/network.sh printed; its lines come in any order. */
export function parseNetwork(text: string, names: readonly string[], peers: readonly Peer[]): Network {
  const [, verdict, own] = /^own (yes|no) (.+)$/m.exec(text) ?? []
  const lines = text.split('\n')
  const blind = lines.includes('blind')
  const answerOf = ({ address, port }: Peer): Network['peers'][number]['answer'] => {
    if (blind) return 'blind'
    if (lines.includes(`peer 0 ${address} ${port}`)) return 'reached'
    // timeout(1): 124 says that the time was over.
    return lines.includes(`peer 124 ${address} ${port}`) ? 'silent' : 'refused'
  }
  return {
    own: own === undefined ? undefined : { name: own, found: verdict === 'yes' },
    names: names.map((name) => ({ name, found: lines.includes(`name yes ${name}`) })),
    peers: peers.map((peer) => ({ peer, answer: answerOf(peer) })),
  }
}

/** What templates/preflight/host.sh printed. */
export function parseLook(text: string): Look {
  const sections = new Map(
    text.split(/^@@/m).map((section): [string, readonly string[]] => {
      const [name = '', ...lines] = section.split('\n')
      return [name, lines.filter((line) => line !== '')]
    }),
  )
  const at = (name: string): readonly string[] => sections.get(name) ?? []
  const [uid, user = '', sudo] = at('user')
  const [system = '', machine = '', kernel = ''] = at('system')
  const [cgroup = '', somaxconn] = at('kernel')
  return {
    uid: numberIn(uid),
    user,
    sudo: sudo === 'sudo',
    system,
    machine,
    kernel,
    glibc: glibcIn(at('glibc').join('\n')),
    libraries: [...new Set(at('libraries'))],
    missingCommands: at('missing'),
    cpus: cpusIn(at('cpus')[0], at('quota')[0]),
    memory: memoryIn(at('memory'), at('bound')),
    disks: at('disks').flatMap(diskIn),
    noexec: noexecIn(at('mounts').join('\n')),
    releaseBytes: numberIn(at('release')[0]),
    ownPorts: recordedPorts(at('record')),
    listeners: listenersIn(at('listeners')),
    synchronised: { 'NTPSynchronized=yes': true, 'NTPSynchronized=no': false }[at('synchronised')[0] ?? ''],
    systemd: systemdIn(at('systemd')),
    failedUnits: at('failed').flatMap((line) => line.trim().split(/\s+/)[0] ?? []),
    cgroup,
    somaxconn: numberIn(somaxconn),
    selinux: at('selinux')[0] === '1',
    apparmor: at('apparmor')[0] === 'Y',
  }
}

const numberIn = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined

/** The processors, or how much of them a container may use: `max 100000` and `-1 100000` bound nothing. */
function cpusIn(count: string | undefined, quota: string | undefined): number | undefined {
  const cpus = numberIn(count)
  const [, allowed, period] = /^(\d+) (\d+)$/.exec(quota ?? '') ?? []
  return cpus === undefined || allowed === undefined ? cpus : Math.min(cpus, Number(allowed) / Number(period))
}

/** The machine's memory, or what a container may use of it: `max` bounds nothing. */
function memoryIn(lines: readonly string[], [most, used]: readonly string[]): Look['memory'] {
  const bytes = (name: string): number | undefined => {
    const line = lines.find((one) => one.startsWith(`${name}:`))
    const kib = numberIn(/(\d+) kB$/.exec(line ?? '')?.[1])
    return kib === undefined ? undefined : 1024 * kib
  }
  const [total, available] = [bytes('MemTotal'), bytes('MemAvailable')]
  if (total === undefined || available === undefined) return undefined
  const [bound, taken] = [numberIn(most) ?? total, numberIn(used) ?? 0]
  if (bound >= total) return { total, available }
  return { total: bound, available: Math.min(available, Math.max(0, bound - taken)) }
}

function diskIn(line: string): readonly Disk[] {
  const found = /^(releases|data|logs) +(\d+) +(\d+) +(\d+|-) +(\d+|-) +(.+)$/.exec(line)
  if (found === null) return []
  const [, place, free, bytes, freeInodes, inodes, mount = ''] = found
  return [
    {
      place: place as Place,
      mount,
      freeBytes: Number(free),
      bytes: Number(bytes),
      // A dash: the file system does not count them.
      freeInodes: numberIn(freeInodes) ?? 0,
      inodes: numberIn(inodes) ?? 0,
    },
  ]
}

/** The ports that the newest of the records names, one a line; what a newer netops wrote, or nobody, names none. */
function recordedPorts(lines: readonly string[]): readonly number[] {
  // Never deployed to, or not readable for this user: then no port counts as our own.
  const records = lines.flatMap((line) => activationRecord.safeParse(parseJson(line)).data ?? [])
  return inOrder(records).at(-1)?.endpoints.ports ?? []
}

/** Lines of `ss -H -ltnp`, or those of /proc/net/tcp on a host without it. */
function listenersIn(lines: readonly string[]): readonly Listener[] {
  if (!lines.some((line) => line.startsWith('LISTEN'))) {
    return listeningPorts(lines.join('\n')).map((port) => ({ port, process: undefined }))
  }
  return lines.flatMap((line) => {
    const port = numberIn(/^LISTEN +\d+ +\d+ +\S*:(\d+) /.exec(line)?.[1])
    const [, name, pid] = /users:\(\("([^"]*)",pid=(\d+)/.exec(line) ?? []
    const process = name === undefined ? undefined : `${name} (pid ${pid ?? ''})`
    return port === undefined ? [] : [{ port, process }]
  })
}

function systemdIn([booted, version, state]: readonly string[]): Look['systemd'] {
  if (booted !== 'booted') return undefined
  return { version: numberIn(/^systemd (\d+)/.exec(version ?? '')?.[1]), state: state ?? 'silent' }
}

// More would only find the same walls again, and every host of a large fleet would be knocked at by all others.
export const mostPeers = 20

/** The other hosts that one host tries to reach: all of a small fleet, else some at even distances around it. */
export function peersOf(all: readonly Peer[], host: string): readonly Peer[] {
  const at = all.findIndex((peer) => peer.host === host)
  const others = [...all.slice(at + 1), ...all.slice(0, at)]
  if (others.length <= mostPeers) return others
  const step = others.length / mostPeers
  return Array.from({ length: mostPeers }, (_, index) => others[Math.floor(index * step)]).flatMap((peer) => peer ?? [])
}
