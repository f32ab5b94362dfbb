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
    const parsed = parseOptions(fleetSchema.extend(settingsSchema), options)
    const { readFleet } = await import('../../fleet/fleet.ts')
    const { reportFleet } = await import('../../fleet/tuning-reports.ts')
    const { parseTuningOptions } = await import('../../procedures/tune/options.ts')
    const { planResult } = await import('../present/tune-hosts.ts')
    const tuning = parseTuningOptions(parsed)
    const fleet = await readFleet(parsed, context)
    return planResult(await reportFleet(fleet, tuning, context), tuning)
  },
})
