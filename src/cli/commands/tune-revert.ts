// netops tune revert: what was there before the first `tune apply`, put back.
import * as z from 'zod'
import { defineCommand } from '../command.ts'
import { fleetOptions, fleetSchema, parseOptions, rootOption } from '../options.ts'
import { policyOf, rolloutOptions, rolloutSchema } from '../rollout.ts'
import { confirmOption } from '../terminal/confirm.ts'
import { tuningRunOptions, tuningRunSchema } from '../tuning.ts'

export const tuneRevert = defineCommand({
  name: 'tune revert',
  summary: 'Put back the kernel parameters and files that were there before the first `tune apply`',
  examples: [
    'netops tune revert --dry-run',
    'netops tune revert --hosts web1 --restart',
    'netops tune revert --root /tmp/site',
  ],
  options: [...fleetOptions, rootOption, ...rolloutOptions, ...tuningRunOptions, confirmOption],
  events: true,
  async run({ options }, context) {
    const schema = fleetSchema.extend({ ...rolloutSchema, ...tuningRunSchema, confirm: z.string().optional() })
    const { restart, dryRun, confirm, ...parsed } = parseOptions(schema, options)
    const { readFleet } = await import('../../fleet/fleet.ts')
    const { startFleetRun } = await import('../../fleet/start-run.ts')
    const { findFleetRemains, readTuningRecords } = await import('../../fleet/tuning-reports.ts')
    const { timingOf } = await import('../../procedures/deploy/timing.ts')
    const { tuneRevert: procedure } = await import('../../procedures/tune/fleet-procedure.ts')
    const { fleetRunResult } = await import('../present/run-result.ts')
    const { revertedResult } = await import('../present/tune-result.ts')
    const { confirmation } = await import('../terminal/confirm.ts')
    const fleet = await readFleet(parsed, context)
    const records = await readTuningRecords(fleet, context)
    const tuning = { profile: 'guide', skip: [], set: {}, restart, timing: timingOf(parsed, fleet) } as const
    const confirming = confirmation({ destroys: 'takes tuning back on', confirmed: confirm }, fleet, context)
    const how = { dryRun, policy: policyOf(parsed), confirm: confirming }
    const result = fleetRunResult(await startFleetRun(procedure, tuning, { fleet, options: how }, context))
    if (dryRun || result.outcome !== 'done') return result
    return revertedResult(result, await findFleetRemains(fleet, records, context))
  },
})
