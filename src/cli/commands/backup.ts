// netops backup: archives of each host's configuration and state, read back, and what is kept of them.
import * as z from 'zod'
import { backupKinds } from '../../model/backup.ts'
import { defineCommand } from '../command.ts'
import { dryRunOption, fleetOptions, fleetSchema, parseOptions, rootOption } from '../options.ts'
import { policyOf, rolloutOptions, rolloutSchema } from '../rollout.ts'

const schema = fleetSchema.extend({
  ...rolloutSchema,
  only: z.enum(backupKinds).optional(),
  dryRun: z.boolean().default(false),
})

export const backup = defineCommand({
  name: 'backup',
  summary: 'Archive configuration and state, read the archive back, remove old ones; exit 3 when not all is in it',
  examples: [
    'netops backup',
    'netops backup --hosts web1,web2 --json',
    'netops backup --dry-run',
    'netops backup --only database',
    'netops backup --root /tmp/site',
  ],
  options: [
    ...fleetOptions,
    rootOption,
    { flags: '--only <kind>', description: 'config, or database where the records are kept in PostgreSQL; else both' },
    ...rolloutOptions,
    dryRunOption,
  ],
  events: true,
  async run({ options }, context) {
    const { dryRun, only, ...parsed } = parseOptions(schema, options)
    const { readFleet } = await import('../../fleet/fleet.ts')
    const { startFleetRun } = await import('../../fleet/start-run.ts')
    const { backup: procedure } = await import('../../procedures/backup/fleet-procedure.ts')
    const { fleetRunResult } = await import('../present/run-result.ts')
    const fleet = await readFleet(parsed, context)
    const how = { fleet, options: { dryRun, policy: policyOf(parsed) } }
    return fleetRunResult(await startFleetRun(procedure, { ...fleet.backup, only }, how, context))
  },
})
