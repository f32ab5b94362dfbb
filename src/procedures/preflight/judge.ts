// Whether a host is fit for a deployment (guide: Pre-deployment Checklist): facts and what is to come -> findings. Pure.
import { messageOf, NetopsError } from '../../model/errors.ts'
import { serviceName } from '../../model/paths.ts'
import { quoteCommand } from '../../model/quote.ts'
import { formatBytes, formatDuration } from '../../model/units.ts'
import { refuseOtherEnvironment } from '../environment-mark.ts'
import type { ProgramNeeds } from '../../model/program-needs.ts'
import { remountHint } from '../ground.ts'
import { isOlder, oldestGlibc } from '../deploy/host-needs.ts'
import { cannotRun } from '../deploy/program.ts'
import type { Disk, Network, PreflightFacts } from './facts.ts'

export interface Finding {
  readonly host: string
  readonly check: string
  readonly kind: 'good' | 'warning' | 'problem'
  readonly message: string
  /** The next command to run or the thing to change. */
  readonly remedy?: string
}

/** What a host's configuration asks of it, or why it will have none. */
export type Configured =
  | { readonly ports: readonly number[]; readonly names: readonly string[] }
  | { readonly missing: string; readonly remedy: string }

/** What a host is judged for: a deployment, as far as it is known. */
export interface PreflightTarget {
  readonly release:
    { readonly platform: string | undefined; readonly size: number; readonly needs?: ProgramNeeds } | undefined
  readonly configured: Configured
  /** What the fleet file says that the hosts are. */
  readonly environment: string | undefined
  /** Hosts of the run that netops could not reach either. */
  readonly unreached: ReadonlySet<string>
  /** How many other hosts the run has; a host looks at some of them. */
  readonly others: number
}

type Verdict = Pick<Finding, 'kind' | 'message' | 'remedy'>
type Judge = (facts: PreflightFacts, target: PreflightTarget) => readonly Verdict[]

const good = (message: string): Verdict => ({ kind: 'good', message })
const warning = (message: string, remedy?: string): Verdict => ({ kind: 'warning', message, ...(remedy && { remedy }) })
const problem = (message: string, remedy: string): Verdict => ({ kind: 'problem', message, remedy })
const unless = (bad: readonly Verdict[], message: string): readonly Verdict[] =>
  bad.length > 0 ? bad : [good(message)]

const mebibyte = 2 ** 20
const showMiB = (bytes: number): string => `${Math.floor(bytes / mebibyte)} MiB`

// What Node 24 starts on (its BUILDING.md, Platform list): kernel 4.18, glibc 2.28, x86_64 or aarch64. `readelf -d` of our
// executables names the two libraries; a system with glibc 2.28 has them in a version that is new enough, or not at all.
const oldestKernel = '4.18'
const platforms: Readonly<Record<string, string>> = { x86_64: 'linux-x64', aarch64: 'linux-arm64' }
const libraries = ['libstdc++.so.6', 'libgcc_s.so.1']

const platform: Judge = ({ system, machine, glibc, lacking, libraries: there }, { release }) => {
  const host = system === 'Linux' ? platforms[machine] : undefined
  const bad: Verdict[] = []
  if (host === undefined) {
    bad.push(
      problem(
        `the host is ${system || 'unknown'} on ${machine || 'an unknown machine'}`,
        'deploy to Linux on x86_64 or aarch64',
      ),
    )
  } else if (release?.platform !== undefined && release.platform !== host) {
    bad.push(problem(`the release is built for ${release.platform}, the host is ${host}`, 'build it on such a host'))
  } else {
    const cannot = cannotRun(release?.needs, { platform: host, glibc, lacking })
    if (cannot !== undefined) bad.push(problem(cannot.message, cannot.hint))
  }
  if (glibc === undefined) {
    const remedy = `netops and network_server need glibc ${oldestGlibc} or later; a host with musl has none`
    bad.push(problem('getconf GNU_LIBC_VERSION names no glibc', remedy))
  } else if (isOlder(glibc, oldestGlibc)) {
    const remedy = `${oldestGlibc} or later is needed: Debian 10, Ubuntu 20.04, RHEL 8`
    bad.push(problem(`glibc is ${glibc}`, remedy))
  }
  const missing = libraries.filter((name) => !there.includes(name))
  if (missing.length > 0) {
    const remedy = 'apt-get install libstdc++6 libgcc-s1, or dnf install libstdc++ libgcc'
    bad.push(problem(`${missing.join(' and ')} missing, without which no executable of ours starts`, remedy))
  }
  return unless(bad, `${host ?? ''}, glibc ${glibc ?? ''}`)
}

const commands: Judge = ({ missingCommands: missing }) =>
  missing.length === 0
    ? [good('every command that netops calls is there')]
    : [problem(`missing: ${missing.join(', ')}`, 'install what they belong to, then look again')]

// guide: Kubernetes Deployment, requests: memory 512Mi, cpu 500m; a core is the least that leaves the host its share.
const leastCpus = 1
const leastMemory = 512 * mebibyte
// A network_server that serves nobody yet takes about 75 MB (VmRSS, seen on lab hosts), a netops beside it as much again
// for the minute of a deployment: with less than this one of them is killed.
const tooLittleMemory = 128 * mebibyte

const cpu: Judge = ({ cpus }) => {
  if (cpus === undefined) return [warning('the host does not say how many processors it has')]
  const told = `${Number(cpus.toFixed(2))} ${cpus === 1 ? 'processor' : 'processors'}`
  return cpus < leastCpus
    ? [warning(`${told}, ${leastCpus} is the least that is recommended`, 'give the host a whole processor')]
    : [good(told)]
}

const memory: Judge = ({ memory: there }) => {
  if (there === undefined) return [warning('the host does not say how much memory it has')]
  const told = `${showMiB(there.available)} of ${showMiB(there.total)} memory available`
  if (there.available < tooLittleMemory) {
    return [problem(`${told}, under ${showMiB(tooLittleMemory)} the service would be killed`, 'free or add memory')]
  }
  return there.available < leastMemory
    ? [warning(`${told}, ${showMiB(leastMemory)} are recommended`, 'free or add memory')]
    : [good(told)]
}

// The size of network_server as it is built today (README, Five minutes); counted where no release was given.
const usualRelease = 130e6
// Beside the release a deployment writes its journal, its record, the configuration and the first lines of the log: well
// under a megabyte and some dozens of files; this leaves them, and what else is at work, a day.
const leastFree = 16 * mebibyte
const leastInodes = 100
const fewPercent = 10

const disk: Judge = ({ disks, noexec, releaseBytes }, { release }) => {
  const size = release?.size ?? usualRelease
  // As a deployment counts: the copy that becomes the release, and as much again while it starts.
  const isThere = release !== undefined && releaseBytes === release.size
  const wanted = isThere ? leastFree : Math.max(2 * size, leastFree)
  const neededAt = ({ place }: Disk): number => (place === 'releases' ? wanted : leastFree)
  const mounts = [...new Set(disks.map(({ mount }) => mount))]
  const said = mounts.flatMap((mount): readonly Verdict[] => {
    const here = disks.filter((one) => one.mount === mount)
    const [first] = here
    if (first === undefined) return []
    const places = here.map(({ place }) => place).join(', ')
    const needed = Math.max(...here.map(neededAt))
    const told = `${formatBytes(first.freeBytes)} free on ${mount} (${places})`
    const counted = first.inodes > 0
    const bad: Verdict[] = []
    if (noexec.has(mount) && here.some(({ place }) => place === 'releases')) {
      bad.push(problem(`${mount} is mounted noexec, and releases are to run from there`, remountHint(mount)))
    }
    if (first.freeBytes < needed) {
      const why = release === undefined && needed > leastFree ? ' for a release of the usual size' : ''
      bad.push(problem(`${told}, ${formatBytes(needed)} are needed${why}`, `free space on ${mount}: netops gc, du -x`))
    } else if (100 * first.freeBytes < fewPercent * first.bytes) {
      bad.push(warning(`${told}, less than ${fewPercent}%`, `free space on ${mount}: netops gc, du -x`))
    }
    if (counted && first.freeInodes < leastInodes) {
      const found = `room for ${first.freeInodes} files on ${mount} (${places}), ${leastInodes} are needed`
      bad.push(problem(found, `remove small files: du --inodes -x ${mount}`))
    } else if (counted && 100 * first.freeInodes < fewPercent * first.inodes) {
      const found = `room for ${first.freeInodes} files on ${mount} (${places}), less than ${fewPercent}%`
      bad.push(warning(found, `remove small files: du --inodes -x ${mount}`))
    }
    return unless(bad, told)
  })
  const unknown = (['releases', 'data', 'logs'] as const).filter((one) => !disks.some(({ place }) => place === one))
  return [...said, ...unknown.map((place) => warning(`df does not say how much is free where ${place} lie`))]
}

const configuration: Judge = (_, { configured }) =>
  'missing' in configured
    ? [problem(configured.missing, configured.remedy)]
    : [good(`a valid configuration, with ${counted(configured.ports.length, 'port')}`)]

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`

const ports: Judge = ({ listeners, service, ownPorts }, { configured }) => {
  if ('missing' in configured) return []
  if (listeners.length === 0) return [warning('the host does not say on which ports something listens')]
  const ours = service.state === 'running' ? ownPorts : []
  return configured.ports.map((port) => {
    const there = listeners.filter((one) => one.port === port)
    if (there.length === 0) return good(`port ${port} is free`)
    if (ours.includes(port)) return good(`port ${port} is in use by our own service`)
    // It goes on listening for a service that has ended.
    const held = ownPorts.includes(port) && there.some(({ process }) => process === 'systemd (pid 1)')
    if (held) return good(`port ${port} is held for our own service`)
    const by = there.find(({ process }) => process !== undefined)?.process ?? 'something else'
    const remedy = `stop it, or configure another port; see it with: ss -ltnp 'sport = :${port}'`
    return problem(`port ${port} is in use by ${by}`, remedy)
  })
}

// Tokens, certificates and the times in logs allow for a second; at half a minute tokens and leases are judged wrongly: a
// lease counts as silent after 30 s (docs/architecture.md, Leases).
const clockWarningMs = 1000
const clockProblemMs = 30_000

const clock: Judge = ({ clock: seen, synchronised }) => {
  if (seen === undefined) return [warning('the host does not tell its time: date +%s.%N')]
  // Half the way there and back may be all that the clocks differ by.
  const sure = Math.max(0, Math.abs(seen.offsetMs) - seen.roundTripMs / 2)
  const told = `the clock is ${formatDuration(sure)} ${seen.offsetMs < 0 ? 'behind' : 'ahead of'} this machine's`
  const remedy = 'set it, and have it follow a time source: timedatectl set-ntp true'
  if (sure > clockProblemMs) return [problem(told, remedy)]
  if (sure > clockWarningMs) return [warning(told, remedy)]
  return synchronised === false
    ? [warning('the clock agrees with this machine, and follows no time source', 'timedatectl set-ntp true')]
    : [good(`the clock agrees with this machine${synchronised === true ? ' and follows a time source' : ''}`)]
}

const dns: Judge = ({ network: { own, names } }) => {
  const bad = names
    .filter(({ found }) => !found)
    .map(({ name }) =>
      problem(
        `the host cannot resolve ${name}, which the configuration names`,
        `getent hosts ${name}; /etc/resolv.conf`,
      ),
    )
  // sudo, mail and logs wait for it, the service does not.
  if (own === undefined) bad.push(warning('the host does not say what its own name is'))
  else if (!own.found) bad.push(warning(`the host cannot resolve its own name, ${own.name}`, 'add it to /etc/hosts'))
  return unless(
    bad,
    names.length === 0 ? 'it resolves its own name' : `it resolves ${counted(1 + names.length, 'name')}`,
  )
}

type Tried = Network['peers'][number]

const peers: Judge = ({ network }, { unreached, others }) => {
  const tried = network.peers
  if (tried.some(({ answer }) => answer === 'blind')) {
    return [warning('other hosts were not tried: that takes bash and timeout', 'install bash and coreutils')]
  }
  const nameOf = ({ peer }: Tried) => `${peer.host} (${peer.address} port ${peer.port})`
  const bad = tried.flatMap((one): readonly Verdict[] => {
    if (one.answer === 'reached') return []
    if (unreached.has(one.peer.host)) return [warning(`${nameOf(one)} does not answer this host either`)]
    const how = one.answer === 'silent' ? 'does not answer within 3 s' : 'cannot be reached'
    return [problem(`${nameOf(one)} ${how} from this host`, 'look at routes and firewalls between the two')]
  })
  if (others === 0) return [good('no other host is part of this run')]
  const some = tried.length < others ? ` of ${others}, chosen evenly` : ''
  return unless(bad, `it reaches ${counted(tried.length, 'other host')}${some}`)
}

const privileges: Judge = ({ uid, user, sudo }) => {
  if (uid === 0) return [good('root')]
  const who = user || 'the login'
  return [
    sudo
      ? problem(`${who} is not root, and netops was not told to use sudo`, 'set ssh.become: sudo in the fleet file')
      : problem(
          `${who} is not root and may not use sudo without a password`,
          'set ssh.user: root, or ssh.become: sudo',
        ),
  ]
}

// systemd.service(5): Type=exec, as our unit has it, came with 240.
const oldestSystemd = 240

const systemd: Judge = ({ systemd: there, failedUnits }) => {
  if (there === undefined) {
    return [problem('systemd does not run this host', 'boot it with systemd: the service is to be its unit')]
  }
  const bad: Verdict[] = []
  if (there.version === undefined || there.version < oldestSystemd) {
    bad.push(problem(`systemd is ${there.version ?? 'of no known version'}`, `${oldestSystemd} or later is needed`))
  }
  if (there.state === 'degraded') {
    const units = failedUnits.length === 0 ? 'units that it does not name' : failedUnits.join(', ')
    const shown = failedUnits[0] ?? ''
    // Our own may be what this deployment is to repair.
    const remedy =
      shown === `${serviceName}.service` && failedUnits.length === 1
        ? `journalctl -u ${shown} tells why; a deployment starts it anew`
        : `${quoteCommand(['systemctl', 'status', shown])}; once it is mended: systemctl reset-failed`
    bad.push(warning(`degraded: ${units} failed`, remedy))
  } else if (there.state === 'starting' || there.state === 'initializing') {
    bad.push(warning('the host is still starting', 'wait for it: systemctl is-system-running --wait'))
  } else if (there.state !== 'running') {
    bad.push(
      problem(
        `systemd is ${there.state}`,
        'systemctl is-system-running tells more; a host that stops takes no service',
      ),
    )
  }
  return unless(bad, `systemd ${there.version ?? ''} runs`)
}

const kernel: Judge = ({ kernel: release, cgroup, somaxconn }) => {
  const version = { cgroup2fs: 'cgroup v2', tmpfs: 'cgroup v1' }[cgroup]
  const bad: Verdict[] = []
  if (!/^\d/.test(release)) bad.push(warning('the host does not say what its kernel is: uname -r'))
  else if (isOlder(release, oldestKernel)) {
    bad.push(problem(`the kernel is ${release}`, `${oldestKernel} or later is needed: Node 24 starts on no older one`))
  }
  if (version === undefined)
    bad.push(warning('no control groups at /sys/fs/cgroup: limits of the service have no effect'))
  if (somaxconn === undefined) {
    bad.push(warning('net.core.somaxconn cannot be read: it cannot be tuned', 'look with: sysctl net.core.somaxconn'))
  }
  return unless(bad, `${release}, ${version ?? ''}, somaxconn ${somaxconn ?? ''}`)
}

const security: Judge = ({ selinux, apparmor }) =>
  selinux
    ? [
        warning(
          'SELinux is enforcing, and netops brings no policy: it may keep the service from its files and ports',
          'after the first start: ausearch -m avc -ts recent; semanage port and fcontext allow what it shows',
        ),
      ]
    : [good(`SELinux is not enforcing${apparmor ? ', AppArmor is there and does not confine the service' : ''}`)]

const environment: (host: string) => Judge = (host) => (facts, target) => {
  try {
    refuseOtherEnvironment(host, facts.environment, target.environment)
  } catch (thrown) {
    const hint = thrown instanceof NetopsError ? thrown.hint : undefined
    return [problem(messageOf(thrown), hint ?? 'use the fleet file of that environment')]
  }
  if (facts.environment !== undefined) return [good(`marked as ${facts.environment}`)]
  const { environment: wanted } = target
  return [good(wanted === undefined ? 'not marked' : `not marked; a first deployment marks it as ${wanted}`)]
}

/** All findings of a host, check by check; each check says something. */
export function judgeHost(host: string, facts: PreflightFacts, target: PreflightTarget): readonly Finding[] {
  const checks: Readonly<Record<string, Judge>> = {
    ...{ privileges, environment: environment(host), platform, kernel, systemd, commands },
    ...{ cpu, memory, disk, configuration, ports, clock, dns, peers, security },
  }
  return Object.entries(checks).flatMap(([check, judge]) =>
    judge(facts, target).map((verdict): Finding => ({ host, check, ...verdict })),
  )
}
