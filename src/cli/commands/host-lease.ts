// What netops does on a host for a fleet run's lease: takes it, renews it, gives it back. Hidden from help.
import * as z from 'zod'
import { hostPaths } from '../../model/paths.ts'
import { defineCommand } from '../command.ts'
import { parseOptions } from '../options.ts'
import { onHost, quiet, rootSchema } from './host-shared.ts'

export const hostLease = defineCommand({
  ...onHost,
  name: 'host lease',
  summary: 'Take this host for a fleet run, renew the lease, or give it back',
  args: '<action> <run>',
  async run({ options, args }, context) {
    const { root } = parseOptions(rootSchema, options)
    const { giveBackForFleet, renewForFleet, takeForFleet } = await import('../../engine/lease.ts')
    const paths = { ...hostPaths(root), netops: process.execPath }
    const action = z.enum(['take', 'renew', 'give-back']).parse(args[0])
    const run = args[1] ?? ''
    if (action === 'renew') await renewForFleet(paths, run)
    else if (action === 'give-back') await giveBackForFleet(paths, run)
    else {
      const holder = fleetHolder.parse(JSON.parse(await context.readInput()))
      const takenFrom = await takeForFleet(paths, { ...holder, run })
      return { ...quiet, data: takenFrom === undefined ? {} : { takenFrom } }
    }
    return quiet
  },
})

const fleetHolder = z.object({ reason: z.string(), user: z.string(), host: z.string() })
