// netops backup status: how each host's backups stand beside what is promised.
import { defineCommand } from '../command.ts'
import { fleetOptions, fleetSchema, parseOptions, rootOption } from '../options.ts'

export const backupStatus = defineCommand({
  name: 'backup status',
  summary: 'Hold backups against backup.objectives: configuration daily, state hourly; exit 5 when behind',
  examples: ['netops backup status', 'netops backup status --json', 'netops backup status --root /tmp/site'],
  options: [...fleetOptions, rootOption],
  async run({ options }, context) {
    const { readFleet } = await import('../../fleet/fleet.ts')
    const { backupStandings } = await import('../../fleet/backups.ts')
    const { standingResult } = await import('../present/backup-text.ts')
    return standingResult(await backupStandings(await readFleet(parseOptions(fleetSchema, options), context), context))
  },
})
