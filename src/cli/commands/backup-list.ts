// netops backup list: which backups there are.
import { defineCommand } from '../command.ts'
import { fleetOptions, fleetSchema, parseOptions, rootOption } from '../options.ts'

export const backupList = defineCommand({
  name: 'backup list',
  summary: 'List the backups of each host, the newest first, with how much is proven of each',
  examples: ['netops backup list', 'netops backup list --hosts web1 --json', 'netops backup list --root /tmp/site'],
  options: [...fleetOptions, rootOption],
  async run({ options }, context) {
    const { readFleet } = await import('../../fleet/fleet.ts')
    const { backupsOf } = await import('../../fleet/backups.ts')
    const { listResult } = await import('../present/backup-text.ts')
    return listResult(await backupsOf(await readFleet(parseOptions(fleetSchema, options), context), context))
  },
})
