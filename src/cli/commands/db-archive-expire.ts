// netops db archive expire: removes what no base backup needs any more of the archived log.
import * as z from 'zod'
import { defineCommand } from '../command.ts'
import { dryRunOption, fleetOptions, fleetSchema, parseOptions, rootOption } from '../options.ts'
import { confirmOption } from '../terminal/confirm.ts'

const schema = fleetSchema.extend({ confirm: z.string().optional(), dryRun: z.boolean().default(false) })

export const dbArchiveExpire = defineCommand({
  name: 'db archive expire',
  summary: 'Remove the segments of the archived log that come before the oldest base backup',
  examples: ['netops db archive expire --dry-run', 'netops db archive expire --hosts db1'],
  options: [...fleetOptions, rootOption, dryRunOption, confirmOption],
  events: true,
  async run({ options }, context) {
    const { dryRun, confirm, ...parsed } = parseOptions(schema, options)
    const { readFleet } = await import('../../fleet/fleet.ts')
    const { startFleetRun } = await import('../../fleet/start-run.ts')
    const { walExpireOnFleet } = await import('../../procedures/wal-expire/host-procedure.ts')
    const { fleetRunResult } = await import('../present/run-result.ts')
    const { confirmation } = await import('../terminal/confirm.ts')
    const fleet = await readFleet(parsed, context)
    const what = { destroys: 'removes old segments of the log on', confirmed: confirm }
    const confirming = confirmation(what, fleet, context)
    return fleetRunResult(
      await startFleetRun(walExpireOnFleet, undefined, { fleet, options: { dryRun, confirm: confirming } }, context),
    )
  },
})
