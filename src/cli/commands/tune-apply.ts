// netops tune apply: a host's kernel parameters, limits, threads and pools, set.
import { defineCommand } from '../command.ts'
import { fleetOptions, fleetSchema, parseOptions, rootOption } from '../options.ts'
import { policyOf, rolloutOptions, rolloutSchema } from '../rollout.ts'
import { settingsOptions, settingsSchema, tuningRunOptions, tuningRunSchema } from '../tuning.ts'

export const tuneApply = defineCommand({
  name: 'tune apply',
  summary: 'Set kernel parameters, limits, threads and pools; exit 3 when not all of it is in effect afterwards',
  examples: [
    'netops tune apply --dry-run',
    'netops tune apply --profile sized --restart',
    'netops tune apply --hosts web1 --skip fs.file-max --set net.core.somaxconn=32768',
    'netops tune apply --root /tmp/site',
  ],
  options: [...fleetOptions, rootOption, ...settingsOptions, ...rolloutOptions, ...tuningRunOptions],
  events: true,
  async run({ options }, context) {
    const schema = fleetSchema.extend({ ...settingsSchema, ...rolloutSchema, ...tuningRunSchema })
    const { restart, dryRun, ...parsed } = parseOptions(schema, options)
    const { readFleet } = await import('../../fleet/fleet.ts')
    const { startFleetRun } = await import('../../fleet/start-run.ts')
    const { reportFleet } = await import('../../fleet/tuning-reports.ts')
    const { timingOf } = await import('../../procedures/deploy/timing.ts')
    const { tuneApply: procedure } = await import('../../procedures/tune/fleet-procedure.ts')
    const { parseTuningOptions } = await import('../../procedures/tune/options.ts')
    const { fleetRunResult } = await import('../present/run-result.ts')
    const { appliedResult } = await import('../present/tune-result.ts')
    const wanted = parseTuningOptions(parsed)
    const fleet = await readFleet(parsed, context)
    const tuning = { ...wanted, restart, timing: timingOf(parsed, fleet) }
    const how = { dryRun, policy: policyOf(parsed) }
    const result = fleetRunResult(await startFleetRun(procedure, tuning, { fleet, options: how }, context))
    if (dryRun || result.outcome !== 'done') return result
    return appliedResult(result, await reportFleet(fleet, wanted, context), wanted)
  },
})
