// netops tune apply: a host's kernel parameters, limits, threads and pools, set.
import type { Fleet } from '../../fleet/fleet.ts'
import type { TuningOptions } from '../../model/tuning.ts'
import { defineCommand, type CommandContext, type CommandResult } from '../command.ts'
import { fleetOptions, fleetSchema, parseOptions, rootOption } from '../options.ts'
import type { AfterRun } from '../present/tune-result.ts'
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
    const { timingOf } = await import('../../procedures/deploy/timing.ts')
    const { tuneApply: procedure } = await import('../../procedures/tune/fleet-procedure.ts')
    const { parseTuningOptions } = await import('../../procedures/tune/options.ts')
    const { fleetRunResult } = await import('../present/run-result.ts')
    const wanted = parseTuningOptions(parsed)
    const fleet = await readFleet(parsed, context)
    const tuning = { ...wanted, restart, timing: timingOf(parsed, fleet) }
    const how = { dryRun, policy: policyOf(parsed) }
    const result = fleetRunResult(await startFleetRun(procedure, tuning, { fleet, options: how }, context))
    return dryRun || result.outcome !== 'done' ? result : checkApplied(result, fleet, wanted, context)
  },
})

async function checkApplied(
  result: CommandResult,
  fleet: Fleet,
  wanted: TuningOptions,
  context: CommandContext,
): Promise<CommandResult> {
  const { reportOnHosts } = await import('../../fleet/tuning-report.ts')
  const { restartCommand, settingsDocument, unreadAfterRun, withFindings } = await import('../present/tune-result.ts')
  const { pendingLine, problemLines, relocatedLine } = await import('../present/tune-text.ts')
  const answers = await reportOnHosts(fleet, () => wanted, context)
  const findings = answers.map(({ host, value, error }): AfterRun => {
    if (value === undefined) return unreadAfterRun(host, error)
    const { root, report } = value
    const problems = problemLines(report.items)
    const notes = report.items.flatMap(({ name, notes: each }) =>
      each.map((note) => (note.startsWith(name) ? note : `${name}: ${note}`)),
    )
    return {
      host,
      problems,
      data: { profile: wanted.profile, settings: settingsDocument(report), pending: report.pending },
      lines: [
        `${report.items.length - problems.length} of ${report.items.length} settings are in effect`,
        ...problems.map((problem) => `NOT in effect: ${problem}`),
        ...notes.map((note) => `note: ${note}`),
        ...pendingLine(report, restartCommand(root)),
        ...relocatedLine(root),
      ],
    }
  })
  const hint = 'leave out what the host cannot have with --skip, and remove or change the files that win'
  return withFindings(result, findings, hint)
}
