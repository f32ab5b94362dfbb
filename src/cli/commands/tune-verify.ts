// netops tune verify: whether each host is still as it was tuned.
import { defineCommand } from '../command.ts'
import { fleetOptions, fleetSchema, parseOptions, rootOption } from '../options.ts'

export const tuneVerify = defineCommand({
  name: 'tune verify',
  summary: 'Compare each host with what was applied to it; exit 9 when something differs, 7 when nothing was applied',
  examples: [
    'netops tune verify',
    'netops tune verify --hosts web1,web2 --json',
    'netops tune verify --root /tmp/site',
  ],
  options: [...fleetOptions, rootOption],
  async run({ options }, context) {
    const { readFleet } = await import('../../fleet/fleet.ts')
    const { findFleetDrift } = await import('../../fleet/tuning-reports.ts')
    const { driftResult } = await import('../present/tune-hosts.ts')
    return driftResult(await findFleetDrift(await readFleet(parseOptions(fleetSchema, options), context), context))
  },
})
