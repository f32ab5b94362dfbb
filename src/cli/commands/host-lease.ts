// What netops does on a host for a fleet run's lease: takes it, renews it, gives it back. Hidden from help.
import * as z from 'zod'
import { leaseNames, usualLeases } from '../../model/leases.ts'
import { hostPaths } from '../../model/paths.ts'
import { defineCommand } from '../command.ts'
import { nameList, parseOptions } from '../options.ts'
import { onHost, quiet, rootFlag, rootSchema } from './host-shared.ts'

export const hostLease = defineCommand({
  ...onHost,
  name: 'host lease',
  summary: 'Take this host for a fleet run, renew the lease, or give it back',
  args: '<action> <run>',
  options: [
    rootFlag,
    { flags: '--leases <names>', description: 'which of its leases', default: usualLeases.join(',') },
  ],
  async run({ options, args }, context) {
    const { root, leases } = parseOptions(schema, options)
    const { giveBackForFleet, renewForFleet, takeForFleet } = await import('../../engine/lease.ts')
    const paths = { ...hostPaths(root), netops: process.execPath }
    const action = z.enum(['take', 'renew', 'give-back']).parse(args[0])
    const run = args[1] ?? ''
    if (action === 'renew') await renewForFleet(paths, run, leases)
    else if (action === 'give-back') await giveBackForFleet(paths, run, leases)
    else {
      const holder = fleetHolder.parse(JSON.parse(await context.readInput()))
      const takenFrom = await takeForFleet(paths, { ...holder, run, leases })
      return { ...quiet, data: takenFrom === undefined ? {} : { takenFrom } }
    }
    return quiet
  },
})

const schema = rootSchema.extend({ leases: nameList.pipe(z.array(z.enum(leaseNames))) })

const fleetHolder = z.object({ reason: z.string(), user: z.string(), host: z.string() })
