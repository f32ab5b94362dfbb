// netops health: whether the service is healthy on each host.
import { joinOutcomes } from '../../model/errors.ts'
import { defineCommand } from '../command.ts'
import { fleetOptions, fleetSchema, parseOptions, rootOption } from '../options.ts'

export const health = defineCommand({
  name: 'health',
  summary: 'Ask the service for its health on each host; exit 5 when one is not healthy',
  examples: ['netops health', 'netops health --root /tmp/site --json'],
  options: [...fleetOptions, rootOption],
  async run({ options }, context) {
    const { readFleet } = await import('../../fleet/fleet.ts')
    const { healthOf } = await import('../../fleet/status.ts')
    const { healthDocument, healthOutcome, healthText } = await import('../present/status-text.ts')
    const answers = await healthOf(await readFleet(parseOptions(fleetSchema, options), context), context)
    return {
      outcome: joinOutcomes(answers.map((answer) => ({ outcome: healthOutcome(answer), changed: false }))),
      data: { hosts: answers.map(healthDocument) },
      text: answers.map(healthText).join('\n'),
    }
  },
})
