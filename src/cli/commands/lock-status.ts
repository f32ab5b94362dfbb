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
    const { askForLocks } = await import('../../fleet/locks.ts')
    const { heldLine, locksResult } = await import('../present/locks.ts')
    const fleet = await readFleet(parseOptions(fleetSchema, options), context)
    return locksResult(await askForLocks({ action: 'status' }, fleet, context), { line: heldLine, none: 'free' })
  },
})
