// netops inventory show: what the fleet file says of one host.
import { NetopsError } from '../../model/errors.ts'
import { defineCommand } from '../command.ts'
import { fleetSchema, inventoryOptions, parseOptions } from '../options.ts'

export const inventoryShow = defineCommand({
  name: 'inventory show',
  summary: 'Show what the fleet file says of one host: login, groups, what differs in its configuration, files',
  args: '<host>',
  examples: ['netops inventory show web1', 'netops inventory show web1 --json'],
  options: inventoryOptions,
  async run({ options, args: [name = ''] }, context) {
    const { readFleet } = await import('../../fleet/fleet.ts')
    const { withSettings } = await import('../../fleet/inventory.ts')
    const { memberDocument, memberLines } = await import('../present/member-text.ts')
    const fleet = await readFleet(parseOptions(fleetSchema, { ...options, hosts: name }), context)
    const [reached] = await withSettings(fleet, context)
    if (reached === undefined) throw new NetopsError('usage', { message: `there is no host ${name}` })
    return { outcome: 'done', data: memberDocument(reached, fleet), text: memberLines(reached, fleet).join('\n') }
  },
})
