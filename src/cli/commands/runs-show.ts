// netops runs show: a run's journal.
import * as z from 'zod'
import { defineCommand } from '../command.ts'
import { parseOptions, rootOption } from '../options.ts'
import { mustReadRun, placeOfRuns } from './runs-place.ts'

export const runsShow = defineCommand({
  name: 'runs show',
  summary: "Print a run's journal",
  args: '<run>',
  examples: ['netops runs show 20261123T104501Z-deploy-3f9a'],
  options: [rootOption],
  async run({ options, args }, context) {
    const { root } = parseOptions(z.object({ root: z.string().optional() }), options)
    const { runs } = await placeOfRuns(root, context)
    const { describeRecord } = await import('../present/run-records.ts')
    const records = await mustReadRun(runs, args[0] ?? '')
    const lines = records.map((record) => `${record.at}  ${describeRecord(record)}`)
    return { outcome: 'done', data: { records }, text: lines.join('\n') }
  },
})
