// netops deploy: bring a release and its configuration into service.
import * as z from 'zod'
import type { ActivationInput } from '../../procedures/deploy/request.ts'
import { hostPaths, serverExecutable } from '../../model/paths.ts'
import { defineCommand } from '../command.ts'
import { dryRunOption, fleetOptions, parseOptions, rootOption } from '../options.ts'
import { timingOf, timingOptions, timingSchema } from '../timing.ts'

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
    const { fleetSchema, readFleet } = await import('../../fleet/fleet.ts')
    const { placeOf, runFleet } = await import('../../runs/fleet-run.ts')
    const parsed = parseOptions(fleetSchema.extend({ ...deploySchema, ...timingSchema }), options)
    const fleet = await readFleet(parsed, context)
    const { readRelease } = await import('../../procedures/deploy/release.ts')
    const release = await readRelease(parsed, context)
    const { placeConfig, placeFiles, readConfigs, renderedPath, writeRendered } = await import('../../procedures/deploy/configs.ts')
    const configs = await readConfigs(parsed.config, fleet, context)
    const toWrite: { readonly path: string; readonly text: string }[] = []
    return runFleet(
      {
        procedure: 'deploy',
        fleet,
        dryRun: parsed.dryRun,
        decide: async (site, run) => {
          const { root, name } = site.target
          const paths = hostPaths(root)
          const { readerOf } = await import('../../drivers/hosts/readers.ts')
          const reader = readerOf(site.connection)
          const onHost = await reader.sha256(`${paths.releases}/${release.id}/${serverExecutable}`)
          const pushRelease = onHost !== release.file.sha256
          const incoming = `${paths.incoming}/${run}`
          const place = await placeConfig(
            {
              config: configs.get(name),
              inPlace: paths.config,
              incoming: `${incoming}/config.yaml`,
              rendered: renderedPath(fleet.runs, run.slice(0, -name.length - 1), name),
            },
            reader,
          )
          if (place.write !== undefined) toWrite.push(place.write)
          const files = await placeFiles(fleet.members.get(name)?.files ?? [], {
            reader,
            incoming,
            cwd: fleet.folder,
            env: context.env,
          })
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
              ...(pushRelease ? { from: `${incoming}/${serverExecutable}` } : {}),
            },
            config: { from: place.from, sha256: place.sha256 },
            ...(files.placed.length === 0 ? {} : { files: files.placed }),
            ...(fleet.environment === undefined ? {} : { environment: fleet.environment }),
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
              ...files.pushes,
            ],
          }
        },
        // A dry run writes nothing, so what is rendered is written down only now.
        prepare: () => writeRendered(toWrite),
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
