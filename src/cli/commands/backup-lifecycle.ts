// netops backup lifecycle: the rule by which a bucket removes old copies, and whether it is in place.
import { defineCommand } from '../command.ts'
import { fleetSchema, inventoryOptions, parseOptions } from '../options.ts'

export const backupLifecycle = defineCommand({
  name: 'backup lifecycle',
  summary:
    'Print the rule by which the bucket of backup.offsite removes old copies, and check it; exit 5 when it is another',
  examples: ['netops backup lifecycle', 'netops backup lifecycle --json'],
  options: inventoryOptions,
  async run({ options }, context) {
    const { readFleet } = await import('../../fleet/fleet.ts')
    const { lifecycleReports } = await import('../../fleet/offsite.ts')
    const { lifecycleResult } = await import('../present/offsite-text.ts')
    const { backup } = await readFleet(parseOptions(fleetSchema, options), context)
    return lifecycleResult(await lifecycleReports(backup, context))
  },
})
