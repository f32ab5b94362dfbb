// netops runs resume: going on with what was cut off.
import * as z from 'zod'
import { defineCommand } from '../command.ts'
import { parseOptions, rootOption } from '../options.ts'
import { goOn } from './runs-go-on.ts'
import { placeOfRuns } from './runs-place.ts'

export const runsResume = defineCommand({
  name: 'runs resume',
  summary: 'Go on with a run that was cut off; what is finished is not done again',
  args: '<run>',
  examples: ['netops runs resume 20261123T104501Z-deploy-3f9a'],
  options: [rootOption],
  events: true,
  async run({ options, args: [run = ''] }, context) {
    const { root } = parseOptions(z.object({ root: z.string().optional() }), options)
    return goOn({ ...(await placeOfRuns(root, context)), run, direction: 'forward' }, context)
  },
})
