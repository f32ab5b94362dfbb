// netops status: what is in service on each host.
import { defineCommand } from '../command.ts'
import { fleetOptions, fleetSchema, parseOptions, rootOption } from '../options.ts'

export const status = defineCommand({
  name: 'status',
  summary: 'Show what is in service on each host, and whether a run is under way or was cut off',
  examples: ['netops status', 'netops status --hosts web1 --json', 'netops status --root /tmp/site'],
  options: [...fleetOptions, rootOption],
  async run({ options }, context) {
    const { readFleet } = await import('../../fleet/fleet.ts')
    const { readStatus } = await import('../../fleet/status.ts')
    const { statusResult } = await import('../present/status.ts')
    return statusResult(await readStatus(await readFleet(parseOptions(fleetSchema, options), context), context))
  },
})
