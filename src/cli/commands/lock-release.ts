// netops lock release: giving back what nobody holds any more.
import * as z from 'zod'
import { NetopsError } from '../../model/errors.ts'
import { defineCommand } from '../command.ts'
import { fleetOptions, fleetSchema, parseOptions, rootOption } from '../options.ts'
import { confirmOption } from '../terminal/confirm.ts'

export const lockRelease = defineCommand({
  name: 'lock release',
  summary: 'Give back the hosts that a dead holder left; a living one only by name and by force',
  examples: [
    'netops lock release --hosts web1',
    'netops lock release --hosts web1 --run 20261123T104501Z-deploy-3f9a --force',
  ],
  options: [
    ...fleetOptions,
    rootOption,
    { flags: '--run <run>', description: 'only the lease of this run' },
    { flags: '--force', description: 'also when its holder lives or its run is half done; needs --run' },
    confirmOption,
  ],
  async run({ options }, context) {
    const { run, force, confirm, ...chosen } = parseOptions(schema, options)
    if (force && run === undefined) {
      throw new NetopsError('usage', {
        message: '--force needs --run: name the run whose lease is to be taken away',
        hint: 'netops lock status shows it',
      })
    }
    const { readFleet } = await import('../../fleet/fleet.ts')
    const { locksOf } = await import('../../fleet/locks.ts')
    const { lockResult } = await import('../present/lock-text.ts')
    const { confirmDestructive } = await import('../terminal/confirm.ts')
    const fleet = await readFleet(chosen, context)
    await confirmDestructive({ destroys: 'gives back the leases of', confirmed: confirm }, fleet, context)
    return lockResult(await locksOf('release', fleet, { run, force }, context), 'release')
  },
})

const schema = fleetSchema.extend({
  run: z.string().optional(),
  force: z.boolean().default(false),
  confirm: z.string().optional(),
})
