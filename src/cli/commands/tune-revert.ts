// netops tune revert: what tuning changed, taken back.
import * as z from 'zod'
import { defineCommand } from '../command.ts'
import { fleetOptions, fleetSchema, parseOptions, rootOption } from '../options.ts'
import { confirmOption } from '../terminal/confirm.ts'
import { tuningRunOptions, tuningRunSchema } from '../tune-options.ts'

export const tuneRevert = defineCommand({
  name: 'tune revert',
  summary: 'Put back the kernel parameters and files that were there before the first `tune apply`',
  examples: [
    'netops tune revert --dry-run',
    'netops tune revert --hosts web1 --restart',
    'netops tune revert --root /tmp/site',
  ],
  options: [...fleetOptions, rootOption, ...tuningRunOptions, confirmOption],
  events: true,
  async run({ options }, context) {
    const { confirm: confirmed, restart, dryRun, ...parsed } = parseOptions(schema, options)
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
    const input = { profile: 'guide', skip: [], set: {}, restart, timing: timingOf(parsed, fleet) } as const
    const confirm = confirmation({ destroys: 'takes tuning back on', confirmed }, fleet, context)
    const end = await startFleetRun(procedure, input, { fleet, options: { dryRun, confirm } }, context)
    const result = fleetRunResult(end)
    if (dryRun || result.outcome !== 'done') return result
    return revertedResult(result, await findFleetRemains(fleet, records, context))
  },
})

const schema = fleetSchema.extend({ ...tuningRunSchema, confirm: z.string().optional() })
