// netops lock status: who holds each host.
import { defineCommand } from '../command.ts'
import { fleetOptions, fleetSchema, parseOptions, rootOption } from '../options.ts'

export const lockStatus = defineCommand({
  name: 'lock status',
  summary: 'Show who holds each host: since when, for what, and whether they still live',
  examples: ['netops lock status', 'netops lock status --hosts web1 --json', 'netops lock status --root /tmp/site'],
  options: [...fleetOptions, rootOption],
  async run({ options }, context) {
    const { readFleet } = await import('../../fleet/fleet.ts')
    const { locksOf } = await import('../../fleet/locks.ts')
    const { lockResult } = await import('../present/lock-text.ts')
    const fleet = await readFleet(parseOptions(fleetSchema, options), context)
    return lockResult(await locksOf('status', fleet, { force: false }, context), 'status')
  },
})
