// netops backup diff: a backup beside the disk.
import { defineCommand } from '../command.ts'
import { fleetOptions, fleetSchema, parseOptions, rootOption } from '../options.ts'

export const backupDiff = defineCommand({
  name: 'backup diff',
  summary:
    'Show what is different on the disk since a backup (default: the newest), and what restoring it would change',
  args: '[id]',
  examples: ['netops backup diff', 'netops backup diff config_20261127_020000 --hosts web1 --json'],
  options: [...fleetOptions, rootOption],
  async run({ options, args: [id] }, context) {
    const { readFleet } = await import('../../fleet/fleet.ts')
    const { compareBackups } = await import('../../fleet/backups.ts')
    const { diffResult } = await import('../present/backup-text.ts')
    return diffResult(await compareBackups(await readFleet(parseOptions(fleetSchema, options), context), id, context))
  },
})
