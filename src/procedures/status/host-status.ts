// What a host says of itself: the release in service, the service's state, its health, and runs that are under way.
import { join } from 'node:path'
import * as z from 'zod'
import type { HostReader } from '../../drivers/hosts/port.ts'
import type { ServiceManager, ServiceState } from '../../drivers/services/port.ts'
import type { ActivationRecord } from '../deploy/request.ts'
import { journalPath, lastWholeLine } from '../../engine/journal.ts'
import { parseRunFile, runFilePath, type RunFile } from '../../engine/run-file.ts'
import { hostPaths, serviceName, type HostPaths } from '../../model/paths.ts'
import { inService, readHistory, type History } from '../deploy/history.ts'
import { NetopsError } from '../../model/errors.ts'
import { failureOf, type Failure } from '../../model/failure.ts'
import { parseJson } from '../../model/json.ts'
import { damagedState, putAside } from '../../model/state-text.ts'

export interface UnfinishedRun {
  readonly run: string
  readonly since: string
  /** The last thing its journal says. */
  readonly last: string
}

export interface HostStatus {
  readonly host: string
  /** The release that `current` points to; undefined where nothing was deployed. */
  readonly release: string | undefined
  /** What is wrong with the link that names the release, where something was deployed and it is none. */
  readonly unlinked?: string
  readonly activation: ActivationRecord | undefined
  /** Whether the configuration in place is the one that was activated. */
  readonly configDrift: boolean
  readonly root: string
  /** `unknown`: what says it cannot be read. */
  readonly service: ServiceState | typeof unknownService
  readonly health: Health
  readonly unfinished: readonly UnfinishedRun[]
  /** State files of netops on the host that cannot be read; not there where all can. */
  readonly damaged?: readonly Failure[]
}

export interface Health {
  readonly healthy: boolean
  /** `healthy`, `unhealthy`, or why nothing is known. */
  readonly status: string
  readonly checks: Readonly<Record<string, boolean>>
  readonly ready: boolean
  /** The release that answered. */
  readonly release: string | undefined
}

/** An address asked on the host itself. */
export type GetOnHost = (
  url: string,
) => Promise<{ status: number; headers: Record<string, string>; body: string } | undefined>

export interface StatusSources {
  readonly reader: HostReader
  readonly services: ServiceManager
  readonly get: GetOnHost
  readonly root: string
}

/** What is in service, as far as it is asked for its health. */
export interface HostHealth {
  /** The release that `current` points to. */
  readonly release: string | undefined
  readonly root: string
  readonly health: Health
  readonly damaged?: readonly Failure[]
  /** The service runs, and nothing is there that would restart it. */
  readonly unsupervised: boolean
}

/** Reads a host's health alone; nothing of its runs is looked at. */
export async function readHostHealth({ reader, services, root, get }: StatusSources): Promise<HostHealth> {
  const paths = hostPaths(root)
  const [link, history, service] = await Promise.all([
    reader.readLink(paths.current),
    readHistory(reader, paths),
    // systemd is there as long as the host is.
    services.kind === 'process' ? readService(services, reader) : undefined,
  ])
  const health = await readHealth(get, history)
  const unsupervised = service?.state.state === 'running' && service.state.unsupervised === true
  const damaged = [...history.unread, ...(service?.damaged ?? [])]
  return { release: releaseOf(link), root, health, unsupervised, ...damagedField(damaged) }
}

const releaseOf = (link: string | undefined): string | undefined => link?.slice(link.lastIndexOf('/') + 1)

const damagedField = (damaged: readonly Failure[]) => (damaged.length === 0 ? {} : { damaged })

/** Reads a host's status; nothing on the host is changed. */
export async function readHostStatus(sources: StatusSources): Promise<HostStatus> {
  const { reader, services, root } = sources
  const paths = hostPaths(root)
  const [link, history, service, configSha256, unfinished] = await Promise.all([
    reader.readLink(paths.current),
    readHistory(reader, paths),
    readService(services, reader),
    reader.sha256(paths.config),
    readUnfinished(reader, paths),
  ])
  const release = releaseOf(link)
  const activation = inService(history, { current: release, configSha256 })
  const unlinked = release === undefined ? await whyUnlinked(reader, paths, history) : undefined
  return {
    host: reader.name,
    root,
    release,
    ...(unlinked === undefined ? {} : { unlinked }),
    activation,
    configDrift: activation !== undefined && activation.configSha256 !== configSha256,
    service: service.state,
    health: await readHealth(sources.get, history),
    unfinished: unfinished.map(({ run, since, last }) => ({ run, since, last })),
    ...damagedField([...history.unread, ...service.damaged, ...unfinished.flatMap(({ damage }) => damage ?? [])]),
  }
}

/** Undefined where nothing was deployed, so that there is no link to be. */
async function whyUnlinked(
  reader: HostReader,
  { current }: HostPaths,
  { activations, unread }: History,
): Promise<string | undefined> {
  if (await reader.exists(current)) return `${current} is not a link to a release`
  return activations.length + unread.length === 0 ? undefined : `${current} is gone`
}

/** What is known of the service; where its own record cannot be read, that. */
async function readService(
  services: ServiceManager,
  reader: HostReader,
): Promise<{ readonly state: HostStatus['service']; readonly damaged: readonly Failure[] }> {
  try {
    return { state: await services.read(reader, serviceName), damaged: [] }
  } catch (error) {
    if (!(error instanceof NetopsError) || (error.code !== 'damaged' && error.code !== 'refused')) throw error
    return { state: unknownService, damaged: [failureOf(error)] }
  }
}

const unknownService = {
  state: 'unknown',
  mainPid: undefined,
  startId: undefined,
  restarts: 0,
  since: undefined,
} as const

const healthBody = z.object({ healthy: z.boolean(), status: z.string(), checks: z.record(z.string(), z.boolean()) })

/** Asks the service for its health, from the host itself. */
async function readHealth(get: GetOnHost, { activations, unread }: History): Promise<Health> {
  const unknown = { healthy: false, checks: {}, ready: false, release: undefined }
  const endpoints = activations.at(-1)?.endpoints
  if (endpoints === undefined) return { ...unknown, status: unread.length === 0 ? 'not deployed' : 'unknown' }
  const [health, ready] = await Promise.all([get(endpoints.healthUrl), get(endpoints.readyUrl)])
  if (health === undefined || ready === undefined) return { ...unknown, status: 'no answer' }
  const body = healthBody.safeParse(parseJson(health.body))
  const release = ready.headers['x-release']
  // Not ours to judge: whatever answers without JSON is reported by its status code.
  if (!body.success) return { ...unknown, ready: ready.status === 200, release, status: `answers ${health.status}` }
  return { ...body.data, ready: ready.status === 200, release }
}

/** A run that is open, and what is damaged of it. */
interface OpenRun extends UnfinishedRun {
  readonly damage?: Failure
}

/** Only runs that are open are looked at: their number says how long it takes, whatever ran before. */
async function readUnfinished(reader: HostReader, paths: HostPaths): Promise<readonly OpenRun[]> {
  const names = await reader.list(paths.open)
  const found = await Promise.all(names.map((run) => readOpen(reader, paths.runs, run)))
  return found.flatMap((run) => run ?? [])
}

/** A run that is open; undefined for one that has ended without saying so, and for an operator's below a root. */
async function readOpen(reader: HostReader, runs: string, run: string): Promise<OpenRun | undefined> {
  const file = await readFile(reader, runs, run)
  // Runs whose file is not understood tell by their names: `RUN.web1` is a host's.
  if (file === undefined ? !run.includes('.') : file.scope === 'fleet') return undefined
  const journal = journalPath(runs, run)
  // Two lines: a crash may have left the last one torn.
  const { stdout } = await reader.query(['tail', '-n', '2', '--', journal])
  const line = lastWholeLine(stdout)
  // Its mark was made, and nothing was done yet.
  if (line === undefined) return undefined
  const last = anyRecord.safeParse(parseJson(line)).data
  if (last?.type === 'end') return undefined
  const since = file?.started ?? (await beginningOf(reader, journal)) ?? last?.at ?? 'an unknown time'
  if (last !== undefined) return { run, since, last: describe(last) }
  const damage = damagedState(
    { path: journal, host: reader.name, hint: putAside(join(runs, run)) },
    'its end is no record',
  )
  return { run, since, last: 'cannot be read', damage: failureOf(damage) }
}

async function beginningOf(reader: HostReader, journal: string): Promise<string | undefined> {
  const { stdout } = await reader.query(['head', '-n', '1', '--', journal])
  return anyRecord.safeParse(parseJson(lastWholeLine(stdout) ?? '')).data?.at
}

async function readFile(reader: HostReader, runs: string, run: string): Promise<RunFile | undefined> {
  try {
    const text = await reader.readText(runFilePath(runs, run))
    return text === undefined ? undefined : parseRunFile(text)
  } catch (error) {
    // Something else is in its place: then its name and its journal say what it is.
    if (error instanceof NetopsError && (error.code === 'failed' || error.code === 'refused')) return undefined
    throw error
  }
}

/** A record as far as it is told here, whatever netops wrote it. */
const anyRecord = z.object({ type: z.string(), at: z.string(), step: z.string().optional() })

const describe = ({ type, step }: z.infer<typeof anyRecord>): string => (step === undefined ? type : `${step}: ${type}`)
