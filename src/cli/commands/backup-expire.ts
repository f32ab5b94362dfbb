// netops backup expire: removes backups that no rule keeps.
import * as z from 'zod'
import { defineCommand } from '../command.ts'
import { dryRunOption, fleetOptions, fleetSchema, parseOptions, rootOption } from '../options.ts'
import { confirmOption } from '../terminal/confirm.ts'

const schema = fleetSchema.extend({ dryRun: z.boolean().default(false), confirm: z.string().optional() })

export const backupExpire = defineCommand({
  name: 'backup expire',
  summary: 'Remove backups that backup.keep does not name; never the last good one',
  examples: [
    'netops backup expire --dry-run',
    'netops backup expire --hosts web1',
    'netops backup expire --root /tmp/site',
  ],
  options: [...fleetOptions, rootOption, dryRunOption, confirmOption],
  events: true,
  async run({ options }, context) {
    const { dryRun, confirm, ...parsed } = parseOptions(schema, options)
    const { readFleet } = await import('../../fleet/fleet.ts')
    const { startFleetRun } = await import('../../fleet/start-run.ts')
    const { backupExpire: procedure } = await import('../../procedures/backup-expire/fleet-procedure.ts')
    const { fleetRunResult } = await import('../present/run-result.ts')
    const { confirmation } = await import('../terminal/confirm.ts')
    const fleet = await readFleet(parsed, context)
    if (dryRun) {
      const { expiryOf } = await import('../../fleet/backups.ts')
      const { expiryResult } = await import('../present/backup-text.ts')
      return expiryResult(await expiryOf(fleet, context))
    }
    const confirming = confirmation({ destroys: 'removes old backups on', confirmed: confirm }, fleet, context)
    return fleetRunResult(
      await startFleetRun(procedure, fleet.backup, { fleet, options: { dryRun, confirm: confirming } }, context),
    )
  },
})
