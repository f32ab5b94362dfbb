// netops tune plan: what tuning would make of each host.
import { defineCommand } from '../command.ts'
import { fleetOptions, fleetSchema, parseOptions, rootOption } from '../options.ts'
import { settingsOptions, settingsSchema } from '../tuning.ts'

export const tunePlan = defineCommand({
  name: 'tune plan',
  summary: 'Show what tuning would set and why, what stands against it, and change nothing',
  examples: [
    'netops tune plan',
    'netops tune plan --profile sized --hosts web1',
    'netops tune plan --skip fs.file-max,fs.nr_open --set vm.swappiness=1',
  ],
  options: [...fleetOptions, rootOption, ...settingsOptions],
  async run({ options }, context) {
    const { readFleet } = await import('../../fleet/fleet.ts')
    const { reportOnHosts } = await import('../../fleet/tuning-report.ts')
    const { parseTuningOptions } = await import('../../procedures/tune/options.ts')
    const { poolsOfGuide, settingsDocument, tuningResult } = await import('../present/tune-result.ts')
    const { pendingLine, plannedLines, relocatedLine } = await import('../present/tune-text.ts')
    const { profile, skip, set, ...chosen } = parseOptions(fleetSchema.extend(settingsSchema), options)
    const wanted = parseTuningOptions({ profile, skip, set })
    const fleet = await readFleet(chosen, context)
    const answers = await reportOnHosts(fleet, () => wanted, context)
    return tuningResult(
      answers,
      ({ root, report }) => ({
        outcome: 'done',
        data: { profile: wanted.profile, settings: settingsDocument(report) },
        lines: [
          ...plannedLines(report),
          ...[...relocatedLine(root), ...pendingLine(report, 'apply with --restart')].map((line) => `  ${line}`),
        ],
      }),
      poolsOfGuide(),
    )
  },
})
