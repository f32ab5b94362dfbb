// netops backup show: all that is known of one backup.
import { defineCommand } from '../command.ts'
import { fleetOptions, fleetSchema, parseOptions, rootOption } from '../options.ts'

export const backupShow = defineCommand({
  name: 'backup show',
  summary: 'Show a backup: what is in it and what is not, how much is proven, how it is restored without netops',
  args: '[id]',
  examples: ['netops backup show', 'netops backup show config_20261127_020000 --hosts web1'],
  options: [...fleetOptions, rootOption],
  async run({ options, args: [id] }, context) {
    const { readFleet } = await import('../../fleet/fleet.ts')
    const { showBackups } = await import('../../fleet/backups.ts')
    const { showResult } = await import('../present/backup-text.ts')
    return showResult(await showBackups(await readFleet(parseOptions(fleetSchema, options), context), id, context))
  },
})
