// netops inventory list: which hosts there are.
import { defineCommand } from '../command.ts'
import { fleetOptions, fleetSchema, parseOptions } from '../options.ts'

export const inventoryList = defineCommand({
  name: 'inventory list',
  summary: 'List the hosts of the fleet, those of hosts_from too, with how they are reached and what they are part of',
  examples: ['netops inventory list', 'netops inventory list --group edge --json', 'netops inventory list -e staging'],
  options: fleetOptions,
  async run({ options }, context) {
    const { readFleet } = await import('../../fleet/fleet.ts')
    const { withSettings } = await import('../../fleet/inventory.ts')
    const { hostDocument, hostTable } = await import('../present/inventory-text.ts')
    const fleet = await readFleet(parseOptions(fleetSchema, options), context)
    const hosts = await withSettings(fleet, context)
    return {
      outcome: 'done',
      data: { environment: fleet.environment, hosts: hosts.map(hostDocument) },
      text: hostTable(hosts),
    }
  },
})
