// netops deploy: bring a release and its configuration into service.
import * as z from 'zod'
import { defineCommand } from '../command.ts'
import { dataCheckOption, dryRunOption, fleetOptions, fleetSchema, parseOptions, rootOption } from '../options.ts'
import { policyOf, rolloutOptions, rolloutSchema } from '../rollout.ts'
import { timingOptions, timingSchema } from '../timing.ts'

export const deploy = defineCommand({
  name: 'deploy',
  summary: 'Bring a release into service; put the previous one back if it is not healthy',
  examples: [
    'netops deploy --dry-run',
    'netops deploy --hosts web1,web2 --config production.yaml',
    'netops deploy --batch 1,25% --pause 2m --max-failures 1',
    'netops deploy --root /tmp/site --config examples/config.yaml',
    'netops deploy --release ./other_server --release-version 2.4.1',
  ],
  options: [
    ...fleetOptions,
    rootOption,
    { flags: '--release <file>', description: 'the executable to deploy (default: build/network_server)' },
    { flags: '--release-version <version>', description: 'its version, where no manifest.json beside it says so' },
    { flags: '--config <file>', description: "the configuration (default: the fleet file's, else what the host has)" },
    ...rolloutOptions,
    ...timingOptions,
    dataCheckOption,
    dryRunOption,
  ],
  events: true,
  async run({ options }, context) {
    const parsed = parseOptions(fleetSchema.extend({ ...deploySchema, ...rolloutSchema, ...timingSchema }), options)
    const [{ readFleet }, { readFleetConfigs }, { releasePath }, { startFleetRun }] = await Promise.all([
      import('../../fleet/fleet.ts'),
      import('../../fleet/configs.ts'),
      import('../../fleet/own-netops.ts'),
      import('../../fleet/start-run.ts'),
    ])
    const { deploy: procedure } = await import('../../procedures/deploy/fleet-procedure.ts')
    const { readRelease } = await import('../../procedures/deploy/release.ts')
    const { timingOf } = await import('../../procedures/deploy/timing.ts')
    const { fleetRunResult } = await import('../present/run-result.ts')
    const fleet = await readFleet(parsed, context)
    const release = await readRelease(releasePath(parsed.release, context), parsed.releaseVersion)
    const deployment = {
      release,
      configs: await readFleetConfigs(parsed.config, fleet, context.cwd),
      files: new Map([...fleet.members].map(([name, { files }]) => [name, files])),
      sources: { cwd: fleet.folder, sources: context.sources, withoutCommands: parsed.dryRun },
      environment: fleet.environment,
      timing: timingOf(parsed, fleet),
      unasked: parsed.withoutDataCheck,
    }
    const how = { dryRun: parsed.dryRun, policy: policyOf(parsed) }
    return fleetRunResult(await startFleetRun(procedure, deployment, { fleet, options: how }, context))
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
  withoutDataCheck: z.boolean().default(false),
}
