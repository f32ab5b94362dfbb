// netops rollback: back to what was in service before, release and configuration.
import * as z from 'zod'
import { defineCommand } from '../command.ts'
import { dataCheckOption, dryRunOption, fleetOptions, fleetSchema, parseOptions, rootOption } from '../options.ts'
import { policyOf, rolloutOptions, rolloutSchema } from '../rollout.ts'
import { confirmOption } from '../terminal/confirm.ts'
import { timingOptions, timingSchema } from '../timing.ts'

export const rollback = defineCommand({
  name: 'rollback',
  summary: 'Go back to what was in service before: the release with the configuration it ran with',
  examples: [
    'netops rollback',
    'netops rollback --hosts web1 --to 1.0.0',
    'netops rollback --root /tmp/site --dry-run',
  ],
  options: [
    ...fleetOptions,
    rootOption,
    {
      flags: '--to <release>',
      description: 'a release that was in service: its id or version (default: the one before)',
    },
    ...rolloutOptions,
    ...timingOptions,
    dataCheckOption,
    dryRunOption,
    confirmOption,
  ],
  events: true,
  async run({ options }, context) {
    const { to, confirm, dryRun, withoutDataCheck, ...parsed } = parseOptions(schema, options)
    const { readFleet } = await import('../../fleet/fleet.ts')
    const { startFleetRun } = await import('../../fleet/start-run.ts')
    const { rollback: procedure } = await import('../../procedures/deploy/rollback-procedure.ts')
    const { timingOf } = await import('../../procedures/deploy/timing.ts')
    const { fleetRunResult } = await import('../present/run-result.ts')
    const { confirmation } = await import('../terminal/confirm.ts')
    const fleet = await readFleet(parsed, context)
    const confirming = confirmation({ destroys: 'rolls back', confirmed: confirm }, fleet, context)
    return fleetRunResult(
      await startFleetRun(
        procedure,
        { to, timing: timingOf(parsed, fleet), unasked: withoutDataCheck },
        { fleet, options: { dryRun, confirm: confirming, policy: policyOf(parsed) } },
        context,
      ),
    )
  },
})

const schema = fleetSchema.extend({
  ...rolloutSchema,
  ...timingSchema,
  to: z.string().optional(),
  confirm: z.string().optional(),
  dryRun: z.boolean().default(false),
  withoutDataCheck: z.boolean().default(false),
})
