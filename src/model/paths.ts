// The one place that knows where things lie on a host (docs/architecture.md), relocated as a whole by a root folder.

import type { LeaseName } from './leases.ts'
import { quoteCommand } from './quote.ts'

export interface HostPaths {
  readonly root: string
  readonly base: string
  readonly releases: string
  readonly current: string
  readonly incoming: string
  readonly netopsBuilds: string
  readonly serverLink: string
  readonly netopsLink: string
  readonly configDir: string
  readonly config: string
  readonly dataDir: string
  readonly logDir: string
  readonly runtimeDir: string
  readonly state: string
  readonly runs: string
  /** An empty file for each run that is not over. */
  readonly open: string
  /** The lease `release`; where the others lie, {@link leasePath} tells. */
  readonly lease: string
  readonly fleetLease: string
  readonly history: string
  readonly unit: string
  /** The listening sockets that are held for the service: a systemd unit, which below a root its supervisor reads. */
  readonly socket: string
  readonly tmpfiles: string
  readonly sysctlDropIn: string
  readonly limitsDropIn: string
  readonly unitDropIn: string
  /** What receives the log of the database: a systemd unit, which below a root its supervisor reads. */
  readonly walUnit: string
  /** How the log of the database is archived here, and where to. */
  readonly walArchive: string
  /** The password of the database for PostgreSQL's own programs, for root alone. */
  readonly walPassfile: string
  /** The service's environment as tuning sets it; it wins over config.yaml. */
  readonly tuningEnvironment: string
  /** What tuning set, and what was there before. */
  readonly tuning: string
  /** What the host is marked as: production, staging. */
  readonly environment: string
  /** Where archives lie unless the fleet file says otherwise (guide: Backup Strategy). */
  readonly backups: string
  /** A file for each backup of this host: what it is, where it lies, when it was verified. */
  readonly catalogue: string
}

/** Where archives lie (guide: Backup Strategy). */
export const backupFolder = '/var/backups/network_system'

/** A path that says each folder once: no empty part, no `.` and no `..`, so that equal places are equal texts. */
export const plainPath = /^(?:\/(?!\.{1,2}(?:\/|$))[^/\0]+)+$/

/** The same place as a {@link plainPath}; undefined for what is no absolute path, or one already. */
export function meantPath(given: string): string | undefined {
  if (!given.startsWith('/') || plainPath.test(given)) return undefined
  const parts: string[] = []
  for (const part of given.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  return parts.length === 0 ? undefined : `/${parts.join('/')}`
}

/**
 * An absolute path below a root folder.
 * @param root `/`, or an absolute folder without a slash at its end
 */
export const below = (root: string, path: string): string => (root === '/' ? path : `${root}${path}`)

/**
 * Where things lie below a root folder.
 * @param root `/` on a host of its own, else an absolute folder without a slash at its end
 */
export function hostPaths(root: string): HostPaths {
  const at = (path: string): string => below(root, path)
  const base = at('/opt/network_system')
  const state = at('/var/lib/netops')
  return {
    root,
    base,
    releases: `${base}/releases`,
    current: `${base}/current`,
    incoming: `${base}/incoming`,
    netopsBuilds: `${base}/netops`,
    serverLink: at('/usr/local/bin/network_server'),
    netopsLink: at('/usr/local/bin/netops'),
    configDir: at('/etc/network_system'),
    config: at('/etc/network_system/config.yaml'),
    dataDir: at('/var/lib/network_system'),
    logDir: at('/var/log/network'),
    runtimeDir: at('/var/run/network_service'),
    state,
    runs: `${state}/runs`,
    open: `${state}/open`,
    lease: `${state}/lease.json`,
    fleetLease: `${state}/fleet-lease.json`,
    history: `${state}/history`,
    unit: at('/etc/systemd/system/network_service.service'),
    socket: at('/etc/systemd/system/network_service.socket'),
    tmpfiles: at('/etc/tmpfiles.d/network_service.conf'),
    sysctlDropIn: at('/etc/sysctl.d/90-network-system.conf'),
    limitsDropIn: at('/etc/security/limits.d/90-network-system.conf'),
    unitDropIn: at('/etc/systemd/system/network_service.service.d/90-network-system.conf'),
    walUnit: at('/etc/systemd/system/network_wal_archive.service'),
    walArchive: `${state}/wal-archive.json`,
    walPassfile: `${state}/wal-archive.pgpass`,
    tuningEnvironment: at('/etc/network_system/tuning.env'),
    tuning: `${state}/tuning.json`,
    environment: at('/etc/netops/environment'),
    backups: at(backupFolder),
    catalogue: `${state}/backups`,
  }
}

/** Where a lease lies, beside the one for the release: `lease-backup.json` beside `lease.json`. */
export const leasePath = (release: string, name: LeaseName): string =>
  name === 'release' ? release : release.replace(/\.json$/, `-${name}.json`)

/** Where a system's own kernel parameters and limits are written down, by anybody. */
export function systemSettings(root: string): {
  readonly sysctl: readonly string[]
  readonly limits: readonly string[]
} {
  const at = (path: string): string => below(root, path)
  return {
    // sysctl.d(5): a file in an earlier folder takes the place of one with the same name in a later folder.
    sysctl: ['/etc/sysctl.d', '/run/sysctl.d', '/usr/local/lib/sysctl.d', '/usr/lib/sysctl.d'].map(at),
    limits: ['/etc/security/limits.conf', '/etc/security/limits.d'].map(at),
  }
}

export const serviceName = 'network_service'
/** What receives the log of the database. */
export const walUnitName = 'network_wal_archive'
export const socketUnit = `${serviceName}.socket`
/** guide: Linux Deployment, `useradd -r -s /bin/false network_service`. */
export const serviceUser = 'network_service'
export const serverExecutable = 'network_server'

/** Where the service's console goes below a root. */
export const serviceOutput = ({ logDir }: Pick<HostPaths, 'logDir'>): string => `${logDir}/service.out`

/** A release's folder name: its version and the first 12 digits of its hash, so that other bytes are another release. */
export const releaseId = (version: string, sha256: string): string => `${version}-${sha256.slice(0, 12)}`

/** A command for people that goes on with a run, or looks at it: with the root it belongs to, unless that is the host itself. */
export const runsCommand = (
  action: 'resume' | 'follow' | 'undo' | 'show',
  run: string,
  root = '/',
  netops = 'netops',
): string => quoteCommand([netops, 'runs', action, run, ...(root === '/' ? [] : ['--root', root])])
