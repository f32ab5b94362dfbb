// What a host is like before it is tuned, read by few plain commands so that it works where netops has never been.
import { basename, dirname } from 'node:path'
import type { HostReader } from '../../drivers/hosts/port.ts'
import type { ServiceManager, ServiceState } from '../../drivers/services/port.ts'
import { checkServerConfig } from '../../config/server-config.ts'
import { valueAt } from '../../config/schema-words.ts'
import { readYaml } from '../../config/yaml.ts'
import { hostPaths, serviceName, serviceUser, systemSettings, type HostPaths } from '../../model/paths.ts'
import { filesInOrder, type ConfFile } from '../../model/sysctl-files.ts'
import { putAside, readStateBy } from '../../model/state-text.ts'
import { plainSysctl, sysctlPath } from '../../model/sysctl.ts'
import { guideKernel } from '../../model/tuning-profiles.ts'
import {
  kindOf,
  limitSettings,
  parseTuningRecord,
  serverSettings,
  type FileState,
  type TuningRecord,
} from '../../model/tuning.ts'
import { type TuningRequest } from './request.ts'
import type { Listening } from '../deploy/request.ts'
import { inService, readHistory, recordLost } from '../deploy/history.ts'

/** What is to be looked at: a place, and the settings that are asked for beside the profiles'. */
export type TuningPlace = Pick<TuningRequest, 'host' | 'root' | 'manager' | 'set'>

type Values = Readonly<Record<string, string>>

export interface KernelValue {
  readonly value: string
  readonly writable: boolean
}

export interface TuningFacts {
  readonly cores: number
  readonly memoryBytes: number
  /** Kernel parameters by name; one that the kernel lacks is missing. */
  readonly kernel: Readonly<Record<string, KernelValue>>
  /** What lies where tuning writes, by path. */
  readonly files: Readonly<Record<string, FileState>>
  /** Folders that those files need and that are not there, parents first. */
  readonly missingFolders: readonly string[]
  /** Files about kernel parameters and limits, in the order in which they are read. */
  readonly sysctlFiles: readonly ConfFile[]
  readonly limitsFiles: readonly ConfFile[]
  readonly unit: {
    /** Whether the service manager knows the unit; without systemd never. */
    readonly loaded: boolean
    /** What the service gets at its next start, by pam_limits' names. */
    readonly limits: Values
    /** The unit's file and its drop-ins. */
    readonly files: readonly ConfFile[]
  }
  readonly service: Pick<ServiceState, 'state' | 'mainPid'> & {
    /** The running process's, where there is one. */
    readonly limits: Values
    readonly environment: Values
  }
  /** The most that process 1 can give a service; a limit without such a bound is missing. */
  readonly most: Values
  /** What config.yaml says of the settings that tuning can win over; only those that it holds. */
  readonly config: Values
  readonly uid: number | undefined
  /** What was put into service last, to know when a restarted service is healthy again. */
  readonly serves: Serves | undefined
  /** What lies in the socket unit's place. */
  readonly socket: string | undefined
  readonly record: TuningRecord | undefined
}

interface Serves {
  readonly readyUrl: string
  readonly release: string
  /** Where it listens on sockets that are held for it; missing where it does so by itself. */
  readonly listen?: Listening
}

/** Files that tuning writes, in the order of writing. */
export const tunedFiles = (paths: HostPaths): readonly string[] => [
  paths.sysctlDropIn,
  paths.limitsDropIn,
  paths.unitDropIn,
  paths.tuningEnvironment,
]

/** Reads all facts of one host's tuning. It only looks. */
export async function readTuningFacts(
  reader: HostReader,
  services: ServiceManager,
  place: TuningPlace,
): Promise<TuningFacts> {
  const paths = hostPaths(place.root)
  const [recordText, service] = await Promise.all([
    readTuningText(reader, paths.tuning),
    services.read(reader, serviceName),
  ])
  const record = recordText === undefined ? undefined : parseTuningRecord(recordText, paths.tuning, reader.name)
  const keys = [
    ...new Set([
      ...Object.keys(guideKernel),
      ...Object.keys(place.set).filter((name) => kindOf(name) === 'kernel'),
      ...Object.keys(record?.originals.kernel ?? {}),
    ]),
  ]
  const [size, kernel, files, conf, unit, process, most, config, uid, serves, socket] = await Promise.all([
    readSize(reader),
    readKernel(reader, keys),
    readFiles(reader, paths),
    readConf(reader, place.root),
    readUnit(reader, services),
    readProcess(reader, service.mainPid),
    readMost(reader),
    readConfig(reader, paths.config),
    readUid(reader),
    readServes(reader, paths),
    reader.readText(paths.socket),
  ])
  return {
    ...size,
    kernel,
    ...files,
    ...conf,
    unit,
    service: { state: service.state, mainPid: service.mainPid, ...process },
    most,
    config,
    uid,
    serves,
    socket,
    record,
  }
}

async function readSize(reader: HostReader): Promise<Pick<TuningFacts, 'cores' | 'memoryBytes'>> {
  const [cores, memory] = await Promise.all([
    reader.query(['nproc']),
    reader.query(['grep', '-m1', '^MemTotal:', '/proc/meminfo']),
  ])
  // proc(5): in KiB, though it says kB.
  const kib = Number(/^MemTotal:\s+(\d+)/.exec(memory.stdout)?.[1] ?? 0)
  return { cores: Number(cores.stdout), memoryBytes: kib * 1024 }
}

async function readKernel(reader: HostReader, keys: readonly string[]): Promise<TuningFacts['kernel']> {
  const paths = keys.map(sysctlPath)
  const [values, access] = await Promise.all([
    reader.query(['grep', '-asHZ', '', ...paths]),
    // A command's success says nothing: sysctl(8) reports none for some parameters that cannot be set.
    reader.query(['find', ...paths, '-maxdepth', '0', '-type', 'f', ...printAccess]),
  ])
  const textOf = new Map(linesByFile(values.stdout))
  const accessOf = new Map(access.stdout.split('\n').map((line) => [line.slice(2), line[0]]))
  return Object.fromEntries(
    keys.flatMap((key) => {
      const path = sysctlPath(key)
      if (!accessOf.has(path)) return []
      return [[key, { value: plainSysctl(textOf.get(path) ?? ''), writable: accessOf.get(path) === 'w' }] as const]
    }),
  )
}

const printAccess = ['(', '-writable', '-printf', 'w %p\\n', '-o', '-printf', 'r %p\\n', ')']

/** `grep -HZ ''` prints a file's name, a zero byte and the line, for each line. */
function linesByFile(output: string): ReadonlyMap<string, string> {
  const texts = new Map<string, string>()
  for (const line of output.split('\n')) {
    const at = line.indexOf('\0')
    if (at < 0) continue
    const path = line.slice(0, at)
    texts.set(path, `${texts.get(path) ?? ''}${line.slice(at + 1)}\n`)
  }
  return texts
}

async function readFiles(reader: HostReader, paths: HostPaths): Promise<Pick<TuningFacts, 'files' | 'missingFolders'>> {
  const files = [...tunedFiles(paths), paths.tuning]
  const folders = foldersOf(files, paths.root)
  const { stdout } = await reader.query(['stat', '-c', '%n\t%F\t%a\t%u:%g\t%s', '--', ...files, ...folders])
  const found = new Map(stdout.split('\n').map((line) => [line.split('\t')[0] ?? '', line.split('\t').slice(1)]))
  const states = await Promise.all(
    files.map(async (path) => [path, await readFile(reader, path, found.get(path))] as const),
  )
  return {
    files: Object.fromEntries(states),
    // Where netops keeps its state is made by whoever starts a run, not by tuning.
    missingFolders: folders.filter((folder) => !found.has(folder) && !`${paths.state}/`.startsWith(`${folder}/`)),
  }
}

/** All folders of files below a root, parents first. */
function foldersOf(files: readonly string[], root: string): readonly string[] {
  const above = (path: string): readonly string[] => {
    const folder = dirname(path)
    return folder === root || folder === dirname(folder) ? [] : [...above(folder), folder]
  }
  return [...new Set(files.flatMap(above))]
}

async function readFile(reader: HostReader, path: string, about: readonly string[] | undefined): Promise<FileState> {
  const [what = '', mode = '', owner = '', size = ''] = about ?? []
  if (about === undefined) return { kind: 'absent' }
  if (what === 'symbolic link') return { kind: 'link', target: (await reader.readLink(path)) ?? '' }
  if (!what.startsWith('regular')) return { kind: 'other', what }
  const content = (await reader.readText(path)) ?? ''
  // What does not come back from UTF-8 as it was could not be put back either.
  const same = !content.includes('\uFFFD') && Buffer.byteLength(content) === Number(size)
  if (!same) return { kind: 'other', what: 'a file that is not text' }
  return { kind: 'file', content, mode: mode.padStart(4, '0'), owner }
}

async function readConf(reader: HostReader, root: string): Promise<Pick<TuningFacts, 'sysctlFiles' | 'limitsFiles'>> {
  const { sysctl, limits } = systemSettings(root)
  const places = [...sysctl, ...limits]
  const [listed, read] = await Promise.all([
    reader.query(['find', ...places, '-maxdepth', '1', '(', '-name', '*.conf', ')', '-print']),
    reader.query(['grep', '-aRsHZ', '', ...places]),
  ])
  const texts = linesByFile(read.stdout)
  // One that is listed and has no lines is empty, or a link to /dev/null, which masks those of the same name.
  const files = listed.stdout
    .split('\n')
    .filter((path) => path !== '')
    .map((path): ConfFile => ({ path, text: texts.get(path) ?? '' }))
  const [main = '', folder = ''] = limits
  return {
    sysctlFiles: filesInOrder(files, sysctl),
    limitsFiles: [...files.filter(({ path }) => path === main), ...filesInOrder(files, [folder])],
  }
}

async function readUnit(reader: HostReader, services: ServiceManager): Promise<TuningFacts['unit']> {
  const names = ['LoadState', 'FragmentPath', 'DropInPaths', ...Object.values(limitSettings)]
  const shown = await services.readLimits(reader, serviceName, names)
  const loaded = shown.LoadState === 'loaded'
  const paths = [shown.FragmentPath ?? '', ...(shown.DropInPaths ?? '').split(' ')].filter((path) => path !== '')
  const { stdout } = loaded && paths.length > 0 ? await reader.query(['grep', '-asHZ', '', ...paths]) : { stdout: '' }
  const texts = linesByFile(stdout)
  return {
    loaded,
    limits: loaded ? pick(limitSettings, shown) : {},
    files: loaded ? paths.map((path) => ({ path, text: texts.get(path) ?? '' })) : [],
  }
}

/** Values under our own names, from those under others'. */
const pick = (names: Values, from: Values): Values =>
  Object.fromEntries(
    Object.entries(names).flatMap(([own, other]) => (from[other] === undefined ? [] : [[own, from[other]]])),
  )

async function readProcess(
  reader: HostReader,
  pid: number | undefined,
): Promise<Pick<TuningFacts['service'], 'limits' | 'environment'>> {
  if (pid === undefined) return { limits: {}, environment: {} }
  const variables = Object.values(serverSettings).join('|')
  const [limits, environment] = await Promise.all([
    reader.query(['cat', `/proc/${pid}/limits`]),
    // Only ours: others may be secret.
    reader.query(['grep', '-zaE', `^(${variables})=`, `/proc/${pid}/environ`]),
  ])
  const set = environment.stdout.split('\0').map((entry) => entry.split('=', 2))
  return {
    limits: processLimits(limits.stdout),
    environment: pick(serverSettings, Object.fromEntries(set) as Values),
  }
}

/** What a service can use now is its soft limit. */
const processLimits = (text: string): Values => limitColumn(text, 0)

/** proc(5): name, soft limit, hard limit, unit. */
function limitColumn(text: string, column: 0 | 1): Values {
  const names = { nofile: 'Max open files', nproc: 'Max processes' }
  return Object.fromEntries(
    Object.entries(names).flatMap(([name, title]) => {
      const value = new RegExp(`^${title}\\s+(\\S+)\\s+(\\S+)`, 'm').exec(text)?.[column + 1]
      return value === undefined ? [] : [[name, value]]
    }),
  )
}

async function readMost(reader: HostReader): Promise<Values> {
  const { stdout } = await reader.query(['grep', '-shE', '^(CapEff|Max )', '/proc/1/status', '/proc/1/limits'])
  return mostOf(stdout)
}

const capSysResource = 1n << 24n // capabilities(7), linux/capability.h

/** Without CAP_SYS_RESOURCE, as in many containers, process 1 can give no more than its own hard limits (setrlimit(2)). */
export function mostOf(text: string): Values {
  const capabilities = /^CapEff:\s*([0-9a-f]+)$/m.exec(text)?.[1]
  if (capabilities === undefined || (BigInt(`0x${capabilities}`) & capSysResource) !== 0n) return {}
  return Object.fromEntries(Object.entries(limitColumn(text, 1)).filter(([, value]) => /^\d+$/.test(value)))
}

/** What a process has of a limit that its unit gives it, where process 1 cannot give all. */
export function granted(name: string, value: string, { most }: Pick<TuningFacts, 'most'>): string {
  const bound = most[name]
  return bound !== undefined && /^\d+$/.test(value) && Number(bound) < Number(value) ? bound : value
}

async function readConfig(reader: HostReader, path: string): Promise<Values> {
  const text = await reader.readText(path)
  if (text === undefined || 'problems' in checkServerConfig(text, basename(path))) return {}
  const parsed = readYaml(text)
  if (!('document' in parsed)) return {}
  const { value } = parsed.document
  return Object.fromEntries(
    Object.keys(serverSettings).flatMap((name) => {
      const given = valueAt(value, name.split('.'))
      return typeof given === 'number' || typeof given === 'string' ? [[name, String(given)]] : []
    }),
  )
}

async function readUid(reader: HostReader): Promise<number | undefined> {
  const found = await reader.query(['getent', 'passwd', serviceUser])
  return found.code === 0 ? Number(found.stdout.split(':')[2]) : undefined
}

const readTuningText = (reader: HostReader, path: string): Promise<string | undefined> =>
  readStateBy({ path, host: reader.name, hint: putAside(path) }, (file) => reader.readText(file))

async function readServes(reader: HostReader, paths: HostPaths): Promise<TuningFacts['serves']> {
  const history = await readHistory(reader, paths)
  const last = history.activations.at(-1)
  const [unread] = history.unread
  if (unread !== undefined) {
    const [link, configSha256] = await Promise.all([reader.readLink(paths.current), reader.sha256(paths.config)])
    if (inService(history, { current: link && basename(link), configSha256 }) === undefined) throw recordLost(unread)
  }
  if (last === undefined) return undefined
  const { readyUrl, listen } = last.endpoints
  const held = last.release.traits?.sockets === true && listen !== undefined
  return { readyUrl, release: last.release.id, ...(held ? { listen } : {}) }
}
