// netops status: what is in service on each host.
import { defineCommand } from '../command.ts'
import { fleetOptions, fleetSchema, parseOptions, rootOption } from '../options.ts'

export const status = defineCommand({
  name: 'status',
  summary: 'Show what is in service on each host, and whether a run is under way or was cut off',
  examples: ['netops status', 'netops status --hosts web1 --json', 'netops status --root /tmp/site'],
  options: [...fleetOptions, rootOption],
  async run({ options }, context) {
    const { readFleet } = await import('../../fleet/fleet.ts')
    const { statusOf } = await import('../../fleet/status.ts')
    const { outcomeOfAnswers } = await import('../present/errors.ts')
    const { statusDocument, statusText } = await import('../present/status-text.ts')
    const answers = await statusOf(await readFleet(parseOptions(fleetSchema, options), context), context)
    return {
      outcome: outcomeOfAnswers(answers),
      data: { hosts: answers.map(statusDocument) },
      text: answers.map(statusText).join('\n'),
    }
  },
})
