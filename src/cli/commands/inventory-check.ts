// netops inventory check: whether the hosts answer, and are what the fleet file says.
import { joinOutcomes } from '../../model/errors.ts'
import { defineCommand } from '../command.ts'
import { fleetOptions, fleetSchema, parseOptions } from '../options.ts'

export const inventoryCheck = defineCommand({
  name: 'inventory check',
  summary: 'Log in to every host: does it answer, and is it marked as the environment that the fleet file is for?',
  examples: ['netops inventory check', 'netops inventory check --hosts web1,web2 --json'],
  options: fleetOptions,
  async run({ options }, context) {
    const { readFleet } = await import('../../fleet/fleet.ts')
    const { checkHosts } = await import('../../fleet/check-hosts.ts')
    const { checkedEntry, checkedLines } = await import('../present/inventory.ts')
    const fleet = await readFleet(parseOptions(fleetSchema, options), context)
    const hosts = await checkHosts(fleet, context)
    return {
      outcome: joinOutcomes(hosts.map(({ error }) => ({ outcome: error?.code ?? 'done', changed: false }))),
      data: { environment: fleet.environment, hosts: hosts.map(checkedEntry) },
      text: hosts.flatMap(checkedLines).join('\n'),
    }
  },
})
