// netops inventory check: whether the hosts answer and are what the fleet file says.
import { defineCommand } from '../command.ts'
import { fleetOptions, fleetSchema, parseOptions } from '../options.ts'

export const inventoryCheck = defineCommand({
  name: 'inventory check',
  summary: 'Log in to every host: does it answer, and is it marked as the environment that the fleet file is for?',
  examples: ['netops inventory check', 'netops inventory check --hosts web1,web2 --json'],
  options: fleetOptions,
  async run({ options }, context) {
    const { readFleet } = await import('../../fleet/fleet.ts')
    const { checkLogins } = await import('../../fleet/inventory.ts')
    const { outcomeOfAnswers } = await import('../present/errors.ts')
    const { checkDocument, checkLines } = await import('../present/inventory-text.ts')
    const fleet = await readFleet(parseOptions(fleetSchema, options), context)
    const checks = await checkLogins(fleet, context)
    return {
      outcome: outcomeOfAnswers(checks),
      data: { environment: fleet.environment, hosts: checks.map(checkDocument) },
      text: checks.map(checkLines).join('\n'),
    }
  },
})
