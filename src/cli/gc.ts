// netops gc: removes old journals, netops builds that no run needs, and what was left half written.
import { z } from 'zod'
import { duration } from '../model/units.ts'
import { defineCommand } from './command.ts'
import { dryRunOption, fleetOptions, parseOptions, rootOption } from './options.ts'

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
  ],
  async run({ options }, context) {
    const { fleetSchema, readFleet } = await import('./fleet.ts')
    const { placeOf, runFleet } = await import('./fleet-run.ts')
    const schema = fleetSchema.extend({
      olderThan: duration,
      keepRuns: z.coerce.number().int().min(0),
      dryRun: z.boolean().default(false),
    })
    const { olderThan, keepRuns, dryRun, ...parsed } = parseOptions(schema, options)
    const fleet = await readFleet(parsed, context)
    return runFleet(
      {
        procedure: 'gc',
        fleet,
        dryRun,
        decide: (site, run) =>
          Promise.resolve({
            order: { procedure: 'gc', ...placeOf(site, run), olderThanMs: olderThan, keepRuns },
            pushes: [],
          }),
      },
      context,
    )
  },
})
