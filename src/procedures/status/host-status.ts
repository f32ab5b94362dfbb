// What a host says of itself: the release in service, the service's state, its health, and runs that are under way.
import * as z from 'zod'
import type { HostReader } from '../../drivers/hosts/port.ts'
import type { ServiceManager, ServiceState } from '../../drivers/services/port.ts'
import type { ActivationRecord, Endpoints } from '../deploy/request.ts'
import { journalPath, lastWholeLine } from '../../engine/journal.ts'
import { parseRunFile, runFilePath } from '../../engine/run-file.ts'
import { hostPaths, serviceName, type HostPaths } from '../../model/paths.ts'
import { readActivations } from '../deploy/facts.ts'
import { parseJson } from '../../model/json.ts'

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
  readonly activation: ActivationRecord | undefined
  /** Whether the configuration in place is the one that was activated. */
  readonly configDrift: boolean
  readonly service: ServiceState
  readonly health: Health
  readonly unfinished: readonly UnfinishedRun[]
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
  readonly health: Health
}

/** Reads a host's health alone; nothing of its runs is looked at. */
export async function readHostHealth({ reader, root, get }: StatusSources): Promise<HostHealth> {
  const paths = hostPaths(root)
  const [link, activations] = await Promise.all([reader.readLink(paths.current), readActivations(reader, paths)])
  const health = await readHealth(get, activations.at(-1)?.endpoints)
  return { release: link?.slice(link.lastIndexOf('/') + 1), health }
}

/** Reads a host's status; nothing on the host is changed. */
export async function readHostStatus(sources: StatusSources): Promise<HostStatus> {
  const { reader, services, root } = sources
  const paths = hostPaths(root)
  const [link, activations, service, configSha256, unfinished] = await Promise.all([
    reader.readLink(paths.current),
    readActivations(reader, paths),
    services.read(reader, serviceName),
    reader.sha256(paths.config),
    readUnfinished(reader, paths),
  ])
  const activation = activations.at(-1)
  return {
    host: reader.name,
    release: link?.slice(link.lastIndexOf('/') + 1),
    activation,
    configDrift: activation !== undefined && activation.configSha256 !== configSha256,
    service,
    health: await readHealth(sources.get, activation?.endpoints),
    unfinished,
  }
}

const healthBody = z.object({ healthy: z.boolean(), status: z.string(), checks: z.record(z.string(), z.boolean()) })

/** Asks the service for its health, from the host itself. */
async function readHealth(get: GetOnHost, endpoints: Endpoints | undefined): Promise<Health> {
  const unknown = { healthy: false, checks: {}, ready: false, release: undefined }
  if (endpoints === undefined) return { ...unknown, status: 'not deployed' }
  const [health, ready] = await Promise.all([get(endpoints.healthUrl), get(endpoints.readyUrl)])
  if (health === undefined || ready === undefined) return { ...unknown, status: 'no answer' }
  const body = healthBody.safeParse(parseJson(health.body))
  const release = ready.headers['x-release']
  // Not ours to judge: whatever answers without JSON is reported by its status code.
  if (!body.success) return { ...unknown, ready: ready.status === 200, release, status: `answers ${health.status}` }
  return { ...body.data, ready: ready.status === 200, release }
}

/** Only runs that are open are looked at: their number says how long it takes, whatever ran before. */
async function readUnfinished(reader: HostReader, paths: HostPaths): Promise<readonly UnfinishedRun[]> {
  const names = await reader.list(paths.open)
  const found = await Promise.all(names.map((run) => readOpen(reader, paths.runs, run)))
  return found.flatMap((run) => run ?? [])
}

/** A run that is open; undefined for one that has ended without saying so, and for an operator's below a root. */
async function readOpen(reader: HostReader, runs: string, run: string): Promise<UnfinishedRun | undefined> {
  const text = await reader.readText(runFilePath(runs, run))
  const file = text === undefined ? undefined : parseRunFile(text)
  // Runs whose file is not understood tell by their names: `RUN.web1` is a host's.
  if (file === undefined ? !run.includes('.') : file.scope === 'fleet') return undefined
  // Two lines: a crash may have left the last one torn.
  const last = await readRecord(reader, ['tail', '-n', '2', '--', journalPath(runs, run)])
  // Its mark was made, and nothing was done yet.
  if (last === undefined || last.type === 'end') return undefined
  const head = ['head', '-n', '1', '--', journalPath(runs, run)]
  const since = file?.started ?? (await readRecord(reader, head))?.at ?? last.at
  return { run, since, last: describe(last) }
}

/** The last whole record that a command prints. */
async function readRecord(reader: HostReader, argv: readonly string[]) {
  const { stdout } = await reader.query(argv)
  return anyRecord.safeParse(parseJson(lastWholeLine(stdout) ?? '')).data
}

/** A record as far as it is told here, whatever netops wrote it. */
const anyRecord = z.object({ type: z.string(), at: z.string(), step: z.string().optional() })

const describe = ({ type, step }: z.infer<typeof anyRecord>): string => (step === undefined ? type : `${step}: ${type}`)
