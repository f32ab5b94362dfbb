// netops deploy: bring a release and its configuration into service.
import { basename, resolve } from 'node:path'
import { z } from 'zod'
import type { HostReader } from '../drivers/hosts/port.ts'
import type { ActivationInput, Endpoints } from '../model/activation.ts'
import { NetopsError } from '../model/errors.ts'
import { hostPaths, releaseId, serverExecutable } from '../model/paths.ts'
import { defineCommand, type CommandContext } from './command.ts'
import { dryRunOption, fleetOptions, parseOptions, rootOption } from './options.ts'
import { timingOf, timingOptions, timingSchema } from './timing.ts'

export const deploy = defineCommand({
  name: 'deploy',
  summary: 'Bring a release into service; put the previous one back if it is not healthy',
  examples: [
    'netops deploy --dry-run',
    'netops deploy --hosts web1,web2 --config production.yaml',
    'netops deploy --root /tmp/site --config examples/config.yaml',
    'netops deploy --release ./other_server --release-version 2.4.1',
  ],
  options: [
    ...fleetOptions,
    rootOption,
    { flags: '--release <file>', description: 'the executable to deploy (default: build/network_server)' },
    { flags: '--release-version <version>', description: 'its version, where no manifest.json beside it says so' },
    { flags: '--config <file>', description: "the configuration (default: the fleet file's, else what the host has)" },
    ...timingOptions,
    dryRunOption,
  ],
  events: true,
  async run({ options }, context) {
    const { fleetSchema, readFleet } = await import('./fleet.ts')
    const { placeOf, runFleet } = await import('./fleet-run.ts')
    const parsed = parseOptions(fleetSchema.extend({ ...deploySchema, ...timingSchema }), options)
    const fleet = await readFleet(parsed, context)
    const release = await readRelease(parsed, context)
    const configPath = parsed.config === undefined ? fleet.configFile : resolve(context.cwd, parsed.config)
    const config = configPath === undefined ? undefined : await readConfig(configPath)
    return runFleet(
      {
        procedure: 'deploy',
        fleet,
        dryRun: parsed.dryRun,
        decide: async (site, run) => {
          const { root } = site.target
          const paths = hostPaths(root)
          const { readerOver } = await import('../drivers/hosts/reader.ts')
          const reader = readerOver(site.connection)
          const onHost = await reader.sha256(`${paths.releases}/${release.id}/${serverExecutable}`)
          const pushRelease = onHost !== release.file.sha256
          const place = await placeConfig(
            { config, inPlace: paths.config, incoming: `${paths.incoming}/${run}/config.yaml` },
            reader,
          )
          const order: ActivationInput = {
            procedure: 'activate',
            ...placeOf(site, run),
            ...timingOf(parsed, fleet),
            release: {
              id: release.id,
              version: release.version,
              sha256: release.file.sha256,
              size: release.file.size,
              checksConfig: release.checksConfig,
              ...(release.platform === undefined ? {} : { platform: release.platform }),
              ...(pushRelease ? { from: `${paths.incoming}/${run}/${serverExecutable}` } : {}),
            },
            config: { from: place.from, sha256: place.sha256 },
            endpoints: place.endpoints,
            reason: 'deploy',
          }
          return {
            order,
            pushes: [
              {
                id: 'release',
                title: `Push the release (${release.id})`,
                file: pushRelease ? release.file : undefined,
                name: serverExecutable,
                mode: '0755',
              },
              { id: 'config', title: 'Push the configuration', file: place.push, name: 'config.yaml', mode: '0600' },
            ],
          }
        },
      },
      context,
    )
  },
})

const deploySchema = {
  release: z.string().optional(),
  releaseVersion: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}$/, 'expected letters, digits, dots, dashes, pluses')
    .optional(),
  config: z.string().optional(),
  dryRun: z.boolean().default(false),
}

async function readRelease(
  options: { release?: string | undefined; releaseVersion?: string | undefined },
  context: CommandContext,
) {
  const { localFile, manifestBeside, ownNetops } = await import('./fleet-run.ts')
  const path =
    options.release === undefined
      ? resolve(ownNetops(context), '..', serverExecutable)
      : resolve(context.cwd, options.release)
  const file = await localFile(path)
  const { readTextIfAny } = await import('../system/files.ts')
  const { buildManifest } = await import('../model/manifest.ts')
  const text = await readTextIfAny(manifestBeside(path))
  const listed = text === undefined ? undefined : buildManifest.parse(JSON.parse(text)).executables
  const known = listed?.find((entry) => entry.name === basename(path))
  if (known !== undefined && known.sha256 !== file.sha256) {
    throw new NetopsError('damaged', {
      message: `${path} is not what its manifest.json describes: its hash is ${file.sha256}, ${known.sha256} was built`,
      hint: 'build it again: netops build',
    })
  }
  const version = options.releaseVersion ?? known?.version ?? 'unversioned'
  return {
    file,
    version,
    id: releaseId(version, file.sha256),
    platform: known?.platform,
    // Ours does; of another executable nobody knows what it makes of the flag.
    checksConfig: known !== undefined,
  }
}

interface ReadConfig {
  readonly file: { readonly path: string; readonly sha256: string; readonly size: number }
  readonly endpoints: Endpoints
}

async function readConfig(path: string): Promise<ReadConfig> {
  const { readFile } = await import('node:fs/promises')
  const { localFile } = await import('./fleet-run.ts')
  const file = await localFile(path)
  return { file, endpoints: await endpointsOf(await readFile(path, 'utf8'), path) }
}

/** Where a configuration makes the service answer on its own host; refuses one that is not valid. */
async function endpointsOf(text: string, name: string): Promise<Endpoints> {
  const { parseServerConfig } = await import('../config/server-config.ts')
  const { server, metrics } = parseServerConfig(text, name)
  const host = server.host === '0.0.0.0' || server.host === '::' ? '127.0.0.1' : server.host
  const base = `http://${host.includes(':') ? `[${host}]` : host}:${server.port}`
  return { readyUrl: `${base}/health/ready`, healthUrl: `${base}/health`, ports: [server.port, metrics.port] }
}

interface ConfigPlaces {
  readonly config: ReadConfig | undefined
  readonly inPlace: string
  readonly incoming: string
}

/** Which configuration a host is to have, and whether it must be brought there. */
async function placeConfig({ config, inPlace, incoming }: ConfigPlaces, reader: HostReader) {
  const present = await reader.sha256(inPlace)
  if (config !== undefined) {
    const { sha256 } = config.file
    const same = present === sha256
    return {
      from: same ? inPlace : incoming,
      sha256,
      endpoints: config.endpoints,
      push: same ? undefined : config.file,
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
  return {
    from: inPlace,
    sha256: present,
    endpoints: await endpointsOf(text, `${reader.name}:${inPlace}`),
    push: undefined,
  }
}
