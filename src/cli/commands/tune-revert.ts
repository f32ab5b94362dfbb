// netops tune revert: what was there before the first `tune apply`, put back.
import * as z from 'zod'
import type { Fleet } from '../../fleet/fleet.ts'
import type { TuningRecord } from '../../model/tuning.ts'
import type { TuningPlace } from '../../procedures/tune/facts.ts'
import { defineCommand, type CommandContext, type CommandResult } from '../command.ts'
import { fleetOptions, fleetSchema, parseOptions, rootOption } from '../options.ts'
import type { AfterRun } from '../present/tune-result.ts'
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
    const { readTuning } = await import('../../fleet/tuning-facts.ts')
    const { timingOf } = await import('../../procedures/deploy/timing.ts')
    const { tuneRevert: procedure } = await import('../../procedures/tune/fleet-procedure.ts')
    const { fleetRunResult } = await import('../present/run-result.ts')
    const { confirmation } = await import('../terminal/confirm.ts')
    const fleet = await readFleet(parsed, context)
    const before = await readTuning(fleet, {}, context, ({ facts }) => facts.record)
    const tuning = { profile: 'guide', skip: [], set: {}, restart, timing: timingOf(parsed, fleet) } as const
    const confirming = confirmation({ destroys: 'takes tuning back on', confirmed: confirm }, fleet, context)
    const how = { dryRun, policy: policyOf(parsed), confirm: confirming }
    const result = fleetRunResult(await startFleetRun(procedure, tuning, { fleet, options: how }, context))
    if (dryRun || result.outcome !== 'done') return result
    return checkReverted(result, fleet, new Map(before.map(({ host, value }) => [host, value])), context)
  },
})

type Records = ReadonlyMap<string, TuningRecord | undefined>

async function checkReverted(
  result: CommandResult,
  fleet: Fleet,
  records: Records,
  context: CommandContext,
): Promise<CommandResult> {
  const { readTuning } = await import('../../fleet/tuning-facts.ts')
  const { stillTuned } = await import('../../procedures/tune/plan.ts')
  const { findRemains } = await import('../../procedures/tune/verify.ts')
  const { driftLines, restartCommand, unreadAfterRun, withFindings } = await import('../present/tune-result.ts')
  const { pendingLine, relocatedLine } = await import('../present/tune-text.ts')
  const all = Object.assign({}, ...[...records.values()].map((one) => one?.originals.kernel)) as TuningPlace['set']
  const answers = await readTuning(fleet, all, context, (read) => read)
  const findings = answers.map(({ host, value, error }): AfterRun => {
    if (value === undefined) return unreadAfterRun(host, error)
    const { place, facts } = value
    const record = records.get(host)
    if (record === undefined) {
      return { host, problems: [], data: { remains: [] }, lines: ['nothing was ever applied here'] }
    }
    const remains = findRemains(place, record, facts)
    const pending = stillTuned(record, facts)
    const { kernel, files } = record.originals
    const count = `${Object.keys(kernel).length} kernel parameters and ${Object.keys(files).length} files`
    return {
      host,
      problems: remains.map(({ what, expected, found }) => `${what}: ${found}; before it was ${expected}`),
      data: { remains, pending },
      lines: [
        remains.length === 0 ? `${count} are as they were before` : `of ${count} these are NOT as before:`,
        ...driftLines(remains),
        ...pendingLine({ items: [], pending }, restartCommand(place.root)),
        ...relocatedLine(place.root),
      ],
    }
  })
  return withFindings(result, findings, 'set these by hand; the run shows what was done: netops runs show')
}
