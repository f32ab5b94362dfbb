// netops gc: removes old journals, netops builds that no run needs, and what was left half written.
import * as z from 'zod'
import { duration } from '../../model/units.ts'
import { defineCommand } from '../command.ts'
import { dryRunOption, fleetOptions, fleetSchema, parseOptions, rootOption } from '../options.ts'
import { confirmOption } from '../terminal/confirm.ts'

// A month of journals answers what happened lately; a hundred runs, what happened where little does.
const defaults = { olderThan: '30d', keepRuns: '100' }

export const gc = defineCommand({
  name: 'gc',
  summary: 'Remove old journals, netops builds that no run needs, and half-written files',
  examples: ['netops gc --dry-run', 'netops gc --older-than 7d --keep-runs 20', 'netops gc --root /tmp/site'],
  options: [
    ...fleetOptions,
    rootOption,
    {
      flags: '--older-than <duration>',
      description: 'remove runs that ended longer ago than this',
      default: defaults.olderThan,
    },
    {
      flags: '--keep-runs <n>',
      description: 'keep this many of the newest runs whatever their age',
      default: defaults.keepRuns,
    },
    dryRunOption,
    confirmOption,
  ],
  events: true,
  async run({ options }, context) {
    const { olderThan, keepRuns, dryRun, confirm, ...parsed } = parseOptions(schema, options)
    const { readFleet } = await import('../../fleet/fleet.ts')
    const { startFleetRun } = await import('../../fleet/start-run.ts')
    const { gc: procedure } = await import('../../procedures/gc/fleet-procedure.ts')
    const { removeOwnRuns } = await import('../../fleet/own-runs.ts')
    const { fleetRunResult } = await import('../present/run-result.ts')
    const { confirmation } = await import('../terminal/confirm.ts')
    const fleet = await readFleet(parsed, context)
    const cleanUp = { olderThanMs: olderThan, keepRuns }
    const what = { destroys: 'removes old journals and builds on', confirmed: confirm }
    const confirming = confirmation(what, fleet, context)
    const end = await startFleetRun(procedure, cleanUp, { fleet, options: { dryRun, confirm: confirming } }, context)
    const result = fleetRunResult(end)
    // Below a root the operator's runs lie with the host's own, and went with them.
    if (fleet.targets.some(({ kind }) => kind === 'local')) return result
    const removed = await removeOwnRuns(fleet, cleanUp, dryRun ? 'only look' : 'remove')
    const own = `${removed.length} old run${removed.length === 1 ? '' : 's'} of this fleet file on this machine`
    return {
      ...result,
      data: { ...result.data, ownRuns: removed },
      text: `${result.text}\n${dryRun ? `would remove ${own}` : `removed ${own}`}`,
    }
  },
})

const schema = fleetSchema.extend({
  olderThan: duration,
  keepRuns: z.coerce.number().int().min(0),
  dryRun: z.boolean().default(false),
  confirm: z.string().optional(),
})
