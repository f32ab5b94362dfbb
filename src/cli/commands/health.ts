// netops health: whether the service is healthy on each host.
import { defineCommand } from '../command.ts'
import { fleetOptions, fleetSchema, parseOptions, rootOption } from '../options.ts'

export const health = defineCommand({
  name: 'health',
  summary: 'Ask the service for its health on each host; exit 5 when one is not healthy',
  examples: ['netops health', 'netops health --root /tmp/site --json'],
  options: [...fleetOptions, rootOption],
  async run({ options }, context) {
    const { readFleet } = await import('../../fleet/fleet.ts')
    const { readStatus } = await import('../../fleet/status.ts')
    const { healthResult } = await import('../present/status.ts')
    return healthResult(await readStatus(await readFleet(parseOptions(fleetSchema, options), context), context))
  },
})
