// What a host is like before an activation, read by plain commands so that it works where netops has never been.
import { basename, dirname, join, resolve } from 'node:path'
import { listenersIn } from '../../config/live/listeners.ts'
import { NetopsError } from '../../model/errors.ts'
import type { ActivationRequest, ActivationRecord } from './request.ts'
import { hostPaths, serverExecutable, serviceName, serviceUser, type HostPaths } from '../../model/paths.ts'
import type { HostReader } from '../../drivers/hosts/port.ts'
import type { ServiceManager, ServiceState } from '../../drivers/services/port.ts'
import { readEnvironment, refuseOtherEnvironment } from '../environment-mark.ts'
import { portsIn } from '../sockets.ts'
import type { ProgramNeeds } from '../../model/program-needs.ts'
import { readLacking, refuseProgram } from './program.ts'
import { accountCommand, isOlder, oldestGlibc, readNeeds, type HostNeeds } from './host-needs.ts'
import type { Failure } from '../../model/failure.ts'
import { inService, readHistory } from './history.ts'
import { askDatabase, readDataSchema, refuseUnreadableData, type AskedDatabase } from './data-schemas.ts'
import { readPresent, refuseUnreplaceable, replacedPaths, type PresentFiles } from './kept.ts'

export interface ActivationFacts {
  /** Node's name for the host's platform: `linux-x64`. */
  readonly platform: string
  readonly service: ServiceState
  /** The release that `current` points to. */
  readonly current: string | undefined
  /** What was in service, oldest first; the last is what is in service now. */
  readonly activations: readonly ActivationRecord[]
  /** Why records of what was in service cannot be read. */
  readonly unread: readonly Failure[]
  readonly configSha256: string | undefined
  readonly unit: string | undefined
  readonly tmpfiles: string | undefined
  /** What lies in the socket unit's place. */
  readonly socket: string | undefined
  readonly cores: number
  /** What tuning.env says. */
  readonly tuned: string
  /** The data schema that the service's own database has; undefined where it has none. */
  readonly dataSchema: number | undefined
  /** What the database server says of its data; undefined where the records are in a file of the service's own. */
  readonly database: AskedDatabase | undefined
  readonly account: boolean
  readonly missingFolders: readonly string[]
  readonly releases: readonly string[]
  /** The hash of the wanted release's executable, where the host has it. */
  readonly releaseSha256: string | undefined
  /** What lies where files and links are to be put. */
  readonly present: PresentFiles
  /** What the host is marked as. */
  readonly environment: string | undefined
  /** TCP ports on which something listens. */
  readonly busyPorts: readonly number[]
  /** What netops and our executables cannot do without. */
  readonly needs: HostNeeds
  /** What the wanted release needs and the host lacks, in words. */
  readonly lacking: readonly string[]
}

export interface Wanted {
  readonly root: string
  readonly release: string
  /** The configuration that is to be in service. */
  readonly config: string
  readonly needs: ProgramNeeds | undefined
  /** Where files are to be placed. */
  readonly files: readonly string[]
}

/** Reads all facts of an activation from one host. */
export async function readActivationFacts(
  reader: HostReader,
  services: ServiceManager,
  wanted: Wanted,
): Promise<ActivationFacts> {
  const paths = hostPaths(wanted.root)
  const { link, history, tuned, ...inPlace } = await together({
    platform: readPlatform(reader),
    service: services.read(reader, serviceName),
    link: reader.readLink(paths.current),
    history: readHistory(reader, paths),
    configSha256: reader.sha256(paths.config),
    unit: reader.readText(paths.unit),
    tmpfiles: reader.readText(paths.tmpfiles),
    socket: reader.readText(paths.socket),
    tuned: reader.readText(paths.tuningEnvironment),
  })
  const current = link === undefined ? undefined : releaseIn(link, paths)
  const serves = inService(history, { current, configSha256: inPlace.configSha256 })
  const units = dirname(paths.socket)
  const folders = [...new Set([...ownFolders(paths), dirname(units), units, ...wanted.files.map(dirname)])]
  const { account, missing, releases, dataSchema, ...found } = await together({
    account: reader.query(['getent', 'passwd', serviceUser]),
    missing: Promise.all(folders.map(async (path) => ((await reader.exists(path)) ? [] : [path]))),
    releases: reader.list(paths.releases),
    releaseSha256: reader.sha256(join(paths.releases, wanted.release, serverExecutable)),
    present: readPresent(reader, [...replacedPaths(paths), ...wanted.files]),
    environment: readEnvironment(reader, paths),
    busyPorts: readBusyPorts(reader),
    needs: readNeeds(reader, services.kind),
    lacking: readLacking(reader, services.kind, wanted.needs),
    cores: readCores(reader),
    dataSchema: readDataSchema(reader, `${paths.dataDir}/state.db`),
    database: askDatabase(reader, { ...wanted, serves }),
  })
  return {
    ...inPlace,
    ...history,
    ...found,
    current,
    tuned: tuned ?? '',
    // One that lies there from before the records were in PostgreSQL decides nothing.
    dataSchema: found.database === undefined ? dataSchema : undefined,
    account: account.code === 0,
    missingFolders: missing.flat(),
    releases: releases.filter((name) => !name.startsWith('.')),
  }
}

/** What several questions that are asked at once come to, each under its name. */
async function together<Answers extends Readonly<Record<string, unknown>>>(questions: {
  readonly [Name in keyof Answers]: Promise<Answers[Name]>
}): Promise<Answers> {
  const answers = Object.entries(questions).map(async ([name, answer]) => [name, await answer] as const)
  return Object.fromEntries(await Promise.all(answers)) as Answers
}

/** The release that a link of ours leads to; undefined for a link of somebody else. */
export function releaseIn(link: string, { base, releases }: HostPaths): string | undefined {
  const target = resolve(base, link)
  return dirname(target) === releases ? basename(target) : undefined
}

/** The release that was in service: a link that is gone does not keep a service from running that was started by it. */
export function releaseBefore(facts: ActivationFacts): string | undefined {
  const recorded = facts.service.state === 'running' ? inService(facts, facts)?.release.id : undefined
  return facts.current ?? facts.releases.find((id) => id === recorded)
}

/** The folders that an activation makes, and takes away again when a first one fails; in the order of making. */
export const ownFolders = (paths: HostPaths): readonly string[] => [
  paths.releases,
  dirname(paths.serverLink),
  paths.configDir,
  paths.dataDir,
  paths.logDir,
  paths.runtimeDir,
]

async function readPlatform(reader: HostReader): Promise<string> {
  const [system = '', machine = ''] = (await reader.query(['uname', '-sm'])).stdout.trim().toLowerCase().split(' ')
  return `${system}-${{ x86_64: 'x64', aarch64: 'arm64' }[machine] ?? machine}`
}

/** One where the host does not say. */
async function readCores(reader: HostReader): Promise<number> {
  const cores = Number((await reader.query(['nproc'])).stdout)
  return Number.isInteger(cores) && cores > 0 ? cores : 1
}

async function readBusyPorts(reader: HostReader): Promise<readonly number[]> {
  const { stdout } = await reader.query(['cat', '/proc/net/tcp', '/proc/net/tcp6'])
  return listeningPorts(stdout)
}

/** The listening ports of a `/proc/net/tcp` text. */
export const listeningPorts = (text: string): readonly number[] =>
  [...new Set(listenersIn(text).map(({ port }) => port))].sort((a, b) => a - b)

/** Refuses what would fail later, before anything on the host is touched. */
export function refuseImpossible(input: ActivationRequest, facts: ActivationFacts): void {
  const { host, release } = input
  const newer = facts.unread.find(({ code }) => code === 'refused')
  if (newer !== undefined) throw new NetopsError('refused', { ...newer, host })
  if (input.environment !== undefined) refuseOtherEnvironment(host, facts.environment, input.environment)
  if (release.platform !== undefined && release.platform !== facts.platform) {
    throw new NetopsError('refused', {
      host,
      message: `the release is built for ${release.platform}, the host is ${facts.platform}`,
      hint: 'build it on a machine like the host',
    })
  }
  const { platform, needs, lacking } = facts
  refuseProgram(release.needs, { host, platform, glibc: needs.glibc, lacking })
  refuseWithoutNeeds(input, facts)
  refuseUnreadableData(input, facts)
  refuseUnreplaceable(host, facts.present)
  if (release.from === undefined && facts.releaseSha256 !== release.sha256) {
    throw new NetopsError('refused', {
      host,
      message:
        facts.releaseSha256 === undefined
          ? `release ${release.id} is not on the host any more`
          : `release ${release.id} on the host is damaged: its hash is ${facts.releaseSha256}`,
      hint: 'deploy it again with --release FILE',
    })
  }
  const serves = facts.service.state === 'running' ? inService(facts, facts) : undefined
  // Whose the ports are that our own service has, only its record tells.
  const known = facts.service.state !== 'running' || serves !== undefined || facts.unread.length === 0
  // systemd goes on listening for a service that has ended.
  const held = input.manager === 'systemd' ? portsIn(facts.socket ?? '') : []
  const ours = [...(serves?.endpoints.ports ?? []), ...held]
  const taken = input.endpoints.ports.filter((port) => facts.busyPorts.includes(port) && !ours.includes(port))
  if (known && taken.length > 0) {
    throw new NetopsError('refused', {
      host,
      message: `port ${taken.join(' and ')} is in use by something else`,
      hint: `see what listens there: ss -ltnp 'sport = :${taken[0] ?? ''}'; or configure another port`,
    })
  }
}

/** Refuses a host on which the activation would stop half way, or nothing of ours could start. */
function refuseWithoutNeeds({ host, manager }: ActivationRequest, { account, needs }: ActivationFacts): void {
  if (manager === 'systemd' && !needs.systemd) {
    throw new NetopsError('refused', {
      host,
      message: 'systemd does not run this host, and the service is to be its unit',
      hint: 'deploy to a host that systemd boots, or below a folder of this machine: --root DIR',
    })
  }
  const missing = needs.missingCommands.filter((name) => name !== accountCommand || !account)
  if (missing.length > 0) {
    throw new NetopsError('refused', {
      host,
      message: `the host lacks ${missing.length === 1 ? 'a command' : 'commands'} that a deployment calls: ${missing.join(', ')}`,
      hint: 'install what they belong to; netops preflight names all that the host lacks',
    })
  }
  // Whatever the release is, netops itself has to run on the host to bring it into service.
  if (needs.glibc !== undefined && isOlder(needs.glibc, oldestGlibc)) {
    throw new NetopsError('refused', {
      host,
      message: `the host has glibc ${needs.glibc}, and netops and network_server need ${oldestGlibc} or later`,
      hint: 'deploy to a newer system: Debian 10, Ubuntu 20.04, RHEL 8 or later',
    })
  }
}
