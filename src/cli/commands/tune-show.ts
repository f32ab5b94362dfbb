// netops tune show: what each host has, and who set it.
import { defineCommand } from '../command.ts'
import { fleetOptions, fleetSchema, parseOptions, rootOption } from '../options.ts'

export const tuneShow = defineCommand({
  name: 'tune show',
  summary: 'Show the kernel parameters, limits, threads and pools that each host has, and who set them',
  examples: ['netops tune show', 'netops tune show --hosts web1 --json', 'netops tune show --root /tmp/site'],
  options: [...fleetOptions, rootOption],
  async run({ options }, context) {
    const { readFleet } = await import('../../fleet/fleet.ts')
    const { reportPresent } = await import('../../fleet/tuning-reports.ts')
    const { presentResult } = await import('../present/tune-hosts.ts')
    return presentResult(await reportPresent(await readFleet(parseOptions(fleetSchema, options), context), context))
  },
})
