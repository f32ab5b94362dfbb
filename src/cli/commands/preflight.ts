// netops preflight: the guide's pre-deployment checklist on every host of the fleet, by reading alone.
import * as z from 'zod'
import { defineCommand } from '../command.ts'
import { fleetOptions, fleetSchema, parseOptions } from '../options.ts'

export const preflight = defineCommand({
  name: 'preflight',
  summary: 'Look whether the hosts are fit for a deployment: system, resources, ports, clock, names, connections',
  examples: [
    'netops preflight',
    'netops preflight --group edge --config production.yaml -v',
    'netops preflight -e staging --release build/1.1.0/network_server --json',
  ],
  options: [
    ...fleetOptions,
    { flags: '--config <file>', description: "the configuration (default: the fleet file's, else what the host has)" },
    {
      flags: '--release <file>',
      description: 'the executable to deploy (default: build/network_server, if it is there)',
    },
  ],
  async run({ options }, context) {
    const parsed = parseOptions(schema, options)
    const { readFleet } = await import('../../fleet/fleet.ts')
    const { readFleetConfigs } = await import('../../fleet/configs.ts')
    const { releasePath } = await import('../../fleet/own-netops.ts')
    const { preflightHosts } = await import('../../fleet/preflight.ts')
    const { readReleaseIfAny } = await import('../../procedures/deploy/release.ts')
    const { preflightResult } = await import('../present/preflight.ts')
    const fleet = await readFleet(parsed, context)
    const release = await readReleaseIfAny(releasePath(parsed.release, context))
    const configs = await readFleetConfigs(parsed.config, fleet, context.cwd)
    const hosts = await preflightHosts({ release, configs }, fleet, context)
    const { environment } = fleet
    return preflightResult(hosts, { environment, release: release?.id, all: context.verbosity > 0 })
  },
})

const schema = fleetSchema.extend({ config: z.string().optional(), release: z.string().optional() })
