// What a host is like before a restore: the backup beside the disk, by the host's own netops, and the service.
import { basename, join } from 'node:path'
import { readServerConfig } from '../../config/server-config.ts'
import type { HostReader } from '../../drivers/hosts/port.ts'
import type { ServiceManager, ServiceState } from '../../drivers/services/port.ts'
import { NetopsError } from '../../model/errors.ts'
import { parseJson } from '../../model/json.ts'
import { hostPaths, serverExecutable, serviceName, type HostPaths } from '../../model/paths.ts'
import { endpointsIn } from '../deploy/configs.ts'
import { releaseIn } from '../deploy/facts.ts'
import { inService, nextSequence, readHistory } from '../deploy/history.ts'
import type { ActivationRecord, Endpoints } from '../deploy/request.ts'
import { askForLook } from './ask.ts'
import type { HostLook, RestoreRequest } from './request.ts'

export interface RestoreFacts extends HostLook {
  /** Undefined where no service is installed. */
  readonly installed:
    | {
        /** What `current` leads to. */
        readonly release: string
        /** The last record of that release; undefined where there is none that can be read. */
        readonly activation: ActivationRecord | undefined
        readonly service: ServiceState
        /** Whether sockets are held for it. */
        readonly hasSockets: boolean
        /** Whether it answers that it is ready. */
        readonly isReady: boolean
        readonly configSha256: string | undefined
        /** Of the configuration in place, or of what was activated, where the archive's is not restored. */
        readonly endpoints: Endpoints | undefined
        readonly driver: 'sqlite' | 'postgres' | undefined
        /** What the record of another activation would have. */
        readonly sequence: number
        readonly last: ActivationRecord | undefined
      }
    | undefined
}

/** Reads all facts of a restore. */
export async function readRestoreFacts(
  request: RestoreRequest,
  reader: HostReader,
  services: ServiceManager,
): Promise<RestoreFacts> {
  const { root, looker, backup, only, from } = request
  const paths = hostPaths(root)
  const asked = { root, which: backup.id, from, only }
  const [look, link, isThere] = await Promise.all([
    askForLook(reader, looker, asked),
    reader.readLink(paths.current),
    reader.exists(join(paths.current, serverExecutable)),
  ])
  if (look.look.archive.manifestSha256 !== backup.manifestSha256) {
    throw new NetopsError('refused', {
      host: reader.name,
      message: `${backup.id} in ${look.look.archive.folder} is another archive now than the one that was chosen; nothing was touched`,
      hint: 'run the same command again',
    })
  }
  const release = link === undefined ? undefined : releaseIn(link, paths)
  const installed =
    release === undefined || !isThere ? undefined : await readInstalled(reader, { paths, release, services, looker })
  return { ...look, installed }
}

interface Installed {
  readonly paths: HostPaths
  readonly release: string
  readonly services: ServiceManager
  readonly looker: string
}

async function readInstalled(
  reader: HostReader,
  { paths, release, services, looker }: Installed,
): Promise<NonNullable<RestoreFacts['installed']>> {
  const [history, service, socket, configSha256, text] = await Promise.all([
    readHistory(reader, paths),
    services.read(reader, serviceName),
    reader.readText(paths.socket),
    reader.sha256(paths.config),
    reader.readText(paths.config).catch(() => undefined), // a folder in its place: the activation tells instead
  ])
  const activation = history.activations.findLast((one) => one.release.id === release)
  const serves = inService(history, { current: release, configSha256 }) ?? activation
  const inPlace = configIn(text, paths.config)
  const endpoints = inPlace?.endpoints ?? serves?.endpoints
  return {
    release,
    activation,
    service,
    hasSockets: socket !== undefined,
    isReady: serves !== undefined && (await isReady(reader, looker, { url: serves.endpoints.readyUrl, release })),
    configSha256,
    endpoints,
    driver: inPlace?.driver,
    sequence: nextSequence(history),
    last: history.activations.at(-1),
  }
}

/** What the configuration in place says; undefined where there is none that is valid, which may be why there is a restore. */
function configIn(text: string | undefined, path: string) {
  if (text === undefined) return undefined
  try {
    const { value } = readServerConfig(text, basename(path))
    return { endpoints: endpointsIn(value), driver: value.database.driver }
  } catch (error) {
    if (error instanceof NetopsError) return undefined
    throw error
  }
}

async function isReady(
  reader: HostReader,
  netops: string,
  { url, release }: { readonly url: string; readonly release: string },
): Promise<boolean> {
  const { code, stdout } = await reader.query([netops, 'host', 'get', url])
  const answer = code === 0 ? parseJson(stdout.trim()) : undefined
  if (typeof answer !== 'object' || answer === null || !('status' in answer) || answer.status !== 200) return false
  const headers = 'headers' in answer ? (answer.headers as Readonly<Record<string, string>>) : {}
  return headers['x-release'] === undefined || headers['x-release'] === release
}
