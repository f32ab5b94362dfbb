// What a deployment brings beside the release: each host's own configuration, and files from this machine.
import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { PlacedFile } from '../../config/fleet-file.ts'
import { formatProblems, type Problem } from '../../config/problems.ts'
import { renderConfig } from '../../config/render.ts'
import { readServerConfig } from '../../config/server-config.ts'
import type { HostReader } from '../../drivers/hosts/port.ts'
import type { ActivationInput, Endpoints } from './request.ts'
import { messageOf, NetopsError } from '../../model/errors.ts'
import { describeSource } from '../../model/file-source.ts'
import type { ServerConfig } from '../../model/server-config.ts'
import type { LocalFile, Push } from '../fleet-plan.ts'
import { sha256OfText } from '../../system/files.ts'
import type { CommandContext } from '../../cli/command.ts'
import type { Fleet } from '../../fleet/fleet.ts'
import { readSource, type SourcePlace } from '../../runs/file-sources.ts'

/** What one host gets as its configuration. */
export interface HostConfig {
  readonly text: string
  readonly sha256: string
  /** The file that it stands in, where nothing differs on this host. */
  readonly asItStands: string | undefined
  readonly endpoints: Endpoints
}

/**
 * Every host's configuration, checked; none where neither the command nor the fleet file names one.
 * @param given the file that the command names
 * @throws NetopsError `usage` with every problem of every host, each once
 */
export async function readConfigs(
  given: string | undefined,
  fleet: Fleet,
  context: CommandContext,
): Promise<ReadonlyMap<string, HostConfig>> {
  const source = given === undefined ? fleet.config : { path: resolve(context.cwd, given), name: given }
  if (source === undefined) {
    const [differing] = [...fleet.members.values()].filter(({ overrides }) => overrides.length > 0)
    if (differing === undefined) return new Map()
    throw new NetopsError('usage', {
      message: `the fleet file says what differs on ${differing.name}, but names no configuration that it differs from`,
      hint: 'set config: { file: ... } in it, or name one with --config FILE',
    })
  }
  const text = await readFile(source.path, 'utf8').catch((error: unknown) => {
    throw new NetopsError('usage', { message: `cannot read the configuration ${source.name}: ${messageOf(error)}` })
  })
  const rendered = fleet.targets.map(({ name }) => {
    const overrides = fleet.members.get(name)?.overrides ?? []
    return { name, overrides, made: renderConfig(text, source.name, overrides) }
  })
  const refused = rendered.flatMap(({ name, made }) => ('problems' in made ? [{ name, ...made }] : []))
  if (refused.length > 0) throw new NetopsError('usage', { message: problemLines(refused, rendered.length) })
  return new Map(
    rendered.flatMap(({ name, overrides, made }): readonly [string, HostConfig][] => {
      if ('problems' in made) return []
      const asItStands = overrides.length === 0 ? source.path : undefined
      const endpoints = endpointsIn(made.read.value)
      return [[name, { text: made.text, sha256: sha256OfText(made.text), asItStands, endpoints }]]
    }),
  )
}

interface Refused {
  readonly name: string
  readonly problems: readonly Problem[]
}

/** What is wrong on all hosts is told once; what is wrong on some, with their names. */
function problemLines(refused: readonly Refused[], hosts: number): string {
  const told = new Map<string, readonly string[]>()
  for (const { name, problems } of refused) {
    for (const problem of problems) {
      const line = formatProblems([problem])
      told.set(line, [...(told.get(line) ?? []), name])
    }
  }
  return [...told].map(([line, on]) => (on.length === hosts ? line : `${line} (on ${on.join(', ')})`)).join('\n')
}

/** Where a configuration makes the service answer on its own host. */
export function endpointsIn({ server, metrics, security }: ServerConfig): Endpoints {
  const host = server.host === '0.0.0.0' || server.host === '::' ? '127.0.0.1' : server.host
  const base = `http://${host.includes(':') ? `[${host}]` : host}:${server.port}`
  const ports = [server.port, ...(security.ssl_enabled ? [server.tls_port] : []), metrics.port]
  return { readyUrl: `${base}/health/ready`, healthUrl: `${base}/health`, ports }
}

interface ConfigPlaces {
  readonly config: HostConfig | undefined
  readonly inPlace: string
  readonly incoming: string
  /** Where a rendered configuration is written down on this machine before it is brought. */
  readonly rendered: string
}

export interface PlacedConfig {
  readonly from: string
  readonly sha256: string
  readonly endpoints: Endpoints
  readonly push: LocalFile | undefined
  /** What has to be written down before the push. */
  readonly write: { readonly path: string; readonly text: string } | undefined
}

/** Which configuration a host is to have, and whether it must be brought there. */
export async function placeConfig(
  { config, inPlace, incoming, rendered }: ConfigPlaces,
  reader: HostReader,
): Promise<PlacedConfig> {
  const present = await reader.sha256(inPlace)
  if (config !== undefined) {
    const { sha256, text, asItStands, endpoints } = config
    if (present === sha256) return { from: inPlace, sha256, endpoints, push: undefined, write: undefined }
    return {
      from: incoming,
      sha256,
      endpoints,
      push: { path: asItStands ?? rendered, sha256, size: Buffer.byteLength(text) },
      write: asItStands === undefined ? { path: rendered, text } : undefined,
    }
  }
  const text = await reader.readText(inPlace)
  if (present === undefined || text === undefined) {
    throw new NetopsError('usage', {
      host: reader.name,
      message: 'the host has no configuration yet, and none was given',
      hint: 'name one with --config FILE; examples/config.yaml is a start',
    })
  }
  const { value } = readServerConfig(text, `${reader.name}:${inPlace}`)
  return { from: inPlace, sha256: present, endpoints: endpointsIn(value), push: undefined, write: undefined }
}

interface FilePlaces extends SourcePlace {
  readonly reader: HostReader
  readonly incoming: string
}

/** Whether mode and owner are as wanted; a wanted owner that ends with its colon may be in any group. */
const isAs = (present: string, wanted: string): boolean =>
  wanted.endsWith(':') ? present.startsWith(wanted) : present === wanted

/** Which of a host's files must be brought: those that it lacks, or has with other content, mode or owner. */
export async function placeFiles(
  files: readonly PlacedFile[],
  { reader, incoming, ...place }: FilePlaces,
): Promise<{ readonly placed: NonNullable<ActivationInput['files']>; readonly pushes: readonly Push[] }> {
  const looked = await Promise.all(
    files.map(async (file, index) => {
      const [content, present, about] = await Promise.all([
        readSource(file.from, place),
        reader.sha256(file.to),
        reader.query(['stat', '--format=%a %U:%G', '--', file.to]),
      ])
      const wanted = `${file.mode.replace(/^0/, '')} ${file.owner}`
      return { file, index, same: present === content.sha256 && isAs(about.stdout.trim(), wanted) }
    }),
  )
  const changed = looked.filter(({ same }) => !same)
  return {
    placed: changed.map(({ file: { to, mode, owner }, index }) => ({
      from: `${incoming}/file-${index}`,
      to,
      mode,
      owner,
    })),
    pushes: looked.map(({ file, index, same }) => ({
      id: `file-${index}`,
      title: `Bring ${file.to}${same ? '' : ` from ${describeSource(file.from)}`}`,
      file: undefined,
      ...(same ? {} : { source: { from: file.from, cwd: place.cwd } }),
      name: `file-${index}`,
      mode: '0600',
    })),
  }
}

/** The folder in which a run's rendered configurations lie, readable by nobody else. */
export const renderedPath = (runs: string, run: string, host: string): string =>
  resolve(runs, run, 'rendered', `${host}.yaml`)

/** Writes rendered configurations down. */
export async function writeRendered(files: readonly { readonly path: string; readonly text: string }[]): Promise<void> {
  const { mkdir } = await import('node:fs/promises')
  const { writeFileAtomic } = await import('../../system/files.ts')
  for (const { path, text } of files) {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    await writeFileAtomic(path, text, 0o600)
  }
}
