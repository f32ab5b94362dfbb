// netops preflight: the guide's pre-deployment checklist on every host of the fleet, by reading alone.
import * as z from 'zod'
import { defineCommand } from '../command.ts'
import { fleetOptions, fleetSchema, parseOptions } from '../options.ts'

const quietMs = 1000

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
    const { config, release: named, ...chosen } = parseOptions(schema, options)
    const { readFleetConfigs } = await import('../../fleet/configs.ts')
    const { readFleet } = await import('../../fleet/fleet.ts')
    const { releasePath } = await import('../../fleet/own-netops.ts')
    const { checkHosts } = await import('../../fleet/preflight.ts')
    const { readRelease, readReleaseIfAny } = await import('../../procedures/deploy/release.ts')
    const { checklistResult } = await import('../present/preflight-text.ts')
    const fleet = await readFleet(chosen, context)
    const path = releasePath(named, context)
    const release = named === undefined ? await readReleaseIfAny(path) : await readRelease(path)
    const configs = await readFleetConfigs(config, fleet, context.cwd)
    const begun = performance.now()
    const checked = await checkHosts(fleet, { release, configs }, context, (host, done) => {
      const slow = performance.now() - begun > quietMs
      if (slow) context.progress(`${host}: looked at (${done} of ${fleet.targets.length})`)
    })
    const { environment } = fleet
    return checklistResult(checked, { environment, release: release?.id, all: context.verbosity > 0 })
  },
})

const schema = fleetSchema.extend({ config: z.string().optional(), release: z.string().optional() })
