// A deployment to a fleet: for each host what it is asked for, and what of release, configuration and files it lacks.
import { join } from 'node:path'
import type { PlacedFile } from '../../config/fleet-file.ts'
import { readServerConfig } from '../../config/server-config.ts'
import type { HostReader } from '../../drivers/hosts/port.ts'
import { NetopsError } from '../../model/errors.ts'
import { describeSource } from '../../model/file-source.ts'
import { hostPaths, serverExecutable, type HostPaths } from '../../model/paths.ts'
import { fieldsOf, type AssignedPlace, type Assignment, type FleetProcedure, type Push } from '../procedure.ts'
import { lookAtFiles, type FileLook, type SourcePlace } from './brought-files.ts'
import { endpointsIn, type HostConfig } from './configs.ts'
import type { ReleaseFile } from './release.ts'
import type { ActivationRequest, Endpoints } from './request.ts'
import type { HealthTiming } from './timing.ts'

/** What is to be deployed. */
export interface Deployment {
  readonly release: ReleaseFile
  /** By the host's name; a host that is not among them keeps the configuration that it has. */
  readonly configs: ReadonlyMap<string, HostConfig>
  readonly files: ReadonlyMap<string, readonly PlacedFile[]>
  /** Where the files' sources are looked up. */
  readonly sources: SourcePlace
  /** What the hosts are marked as, or get marked as. */
  readonly environment: string | undefined
  readonly timing: HealthTiming
  /** Whether it goes on where a database cannot be asked which data it has. */
  readonly unasked: boolean
}

/** What a host has of it already. */
export interface DeploymentLook {
  readonly releaseSha256: string | undefined
  readonly configSha256: string | undefined
  /** Of the configuration in place, where the host is to keep it. */
  readonly keeps: { readonly endpoints: Endpoints } | undefined
  readonly files: readonly FileLook[]
}

export const deploy: FleetProcedure<Deployment, DeploymentLook> = {
  name: 'deploy',

  async look({ release, configs, files, sources }, { host, root }, reader) {
    const paths = hostPaths(root)
    const [releaseSha256, configSha256] = await Promise.all([
      reader.sha256(`${paths.releases}/${release.id}/${serverExecutable}`),
      reader.sha256(paths.config),
    ])
    return {
      releaseSha256,
      configSha256,
      keeps: configs.has(host) ? undefined : await readKept(reader, paths),
      files: await lookAtFiles(files.get(host) ?? [], sources, reader),
    }
  },

  assign(deployment, place, found) {
    const { release, environment, timing } = deployment
    const incoming = join(hostPaths(place.root).incoming, place.run)
    const lacksRelease = found?.releaseSha256 !== release.file.sha256
    const config = placeConfig(deployment, place, found)
    const files = placeFiles(deployment, place, found)
    const request: ActivationRequest = {
      procedure: 'activate',
      ...fieldsOf(place),
      ...timing,
      release: {
        id: release.id,
        version: release.version,
        sha256: release.file.sha256,
        size: release.file.size,
        checksConfig: release.checksConfig,
        needs: release.needs,
        ...(Object.keys(release.traits).length === 0 ? {} : { traits: release.traits }),
        ...(release.platform === undefined ? {} : { platform: release.platform }),
        ...(lacksRelease ? { from: `${incoming}/${serverExecutable}` } : {}),
      },
      config: config.request,
      ...(files.placed.length === 0 ? {} : { files: files.placed }),
      ...(environment === undefined ? {} : { environment }),
      endpoints: config.endpoints,
      reason: 'deploy',
      ...(deployment.unasked ? { unasked: true } : {}),
    }
    const pushRelease: Push = {
      id: 'release',
      title: `Push the release (${release.id})`,
      file: lacksRelease ? release.file : undefined,
      name: serverExecutable,
      mode: '0755',
    }
    return { request, pushes: [pushRelease, config.push, ...files.pushes], writes: config.writes }
  },
}

/** @throws NetopsError `usage` where a host has no configuration that it could keep */
async function readKept(reader: HostReader, paths: HostPaths): Promise<DeploymentLook['keeps']> {
  const text = await reader.readText(paths.config)
  if (text === undefined) {
    throw new NetopsError('usage', {
      host: reader.name,
      message: 'the host has no configuration yet, and none was given',
      hint: 'name one with --config FILE; examples/config.yaml is a start',
    })
  }
  return { endpoints: endpointsIn(readServerConfig(text, `${reader.name}:${paths.config}`).value) }
}

interface PlacedConfig {
  readonly request: ActivationRequest['config']
  readonly endpoints: Endpoints
  readonly push: Push
  readonly writes: NonNullable<Assignment['writes']>
}

/** Which configuration a host is to have, and whether it must be brought there. */
function placeConfig(
  { configs }: Deployment,
  { host, root, run, scratch }: AssignedPlace,
  found: DeploymentLook | undefined,
): PlacedConfig {
  const paths = hostPaths(root)
  const push = { id: 'config', title: 'Push the configuration', file: undefined, name: 'config.yaml', mode: '0600' }
  const config = configs.get(host)
  if (config === undefined) {
    if (found?.keeps === undefined || found.configSha256 === undefined) {
      throw new NetopsError('unreachable', {
        host,
        message: 'the host is to keep its configuration, and cannot be asked for it',
        hint: 'name one with --config FILE, or deploy to this host when it is back',
      })
    }
    const request = { from: paths.config, sha256: found.configSha256 }
    return { request, endpoints: found.keeps.endpoints, push, writes: [] }
  }
  const { sha256, text, asItStands, endpoints } = config
  if (found?.configSha256 === sha256) return { request: { from: paths.config, sha256 }, endpoints, push, writes: [] }
  // A rendered configuration is written down on this machine before it is brought.
  const rendered = join(scratch, 'rendered', `${host}.yaml`)
  return {
    request: { from: join(paths.incoming, run, 'config.yaml'), sha256 },
    endpoints,
    push: { ...push, file: { path: asItStands ?? rendered, sha256, size: Buffer.byteLength(text) } },
    writes: asItStands === undefined ? [{ path: rendered, text }] : [],
  }
}

/** The files of a host: those that it lacks, or has with other content, mode or owner, are brought. */
function placeFiles(
  { files, sources }: Deployment,
  { host, root, run }: AssignedPlace,
  found: DeploymentLook | undefined,
): { readonly placed: NonNullable<ActivationRequest['files']>; readonly pushes: readonly Push[] } {
  const incoming = join(hostPaths(root).incoming, run)
  const listed = (files.get(host) ?? []).map((file, index) => ({
    file,
    index,
    same: found?.files[index]?.same === true,
  }))
  return {
    // Named by their number among those that are brought.
    placed: listed
      .filter(({ same }) => !same)
      .map(({ file: { to, mode, owner }, index }) => ({ from: `${incoming}/file-${index}`, to, mode, owner })),
    pushes: listed.map(({ file, index, same }) => ({
      id: `file-${index}`,
      title: `Bring ${file.to}${same ? '' : ` from ${describeSource(file.from)}`}`,
      file: undefined,
      ...(same ? {} : { source: { from: file.from, cwd: sources.cwd } }),
      name: `file-${index}`,
      mode: '0600',
    })),
  }
}
