// netops backup drill: whether the latest backup could be restored, how long that takes, and how much would be lost.
import { resolve } from 'node:path'
import * as z from 'zod'
import { duration } from '../../model/units.ts'
import { defineCommand } from '../command.ts'
import { dryRunOption, fleetOptions, fleetSchema, parseOptions, rootOption } from '../options.ts'

export const backupDrill = defineCommand({
  name: 'backup drill',
  summary: 'Restore the latest backup aside, serve it on ports of its own, and measure against the objectives',
  args: '[which]',
  examples: [
    'netops backup drill',
    'netops backup drill config_20261127_020000 --hosts web1 --json',
    'netops backup drill --rto 30m --root /tmp/site',
  ],
  options: [
    ...fleetOptions,
    rootOption,
    { flags: '--scratch <dir>', description: 'where a folder for it is made, on the host', default: '/var/tmp' },
    {
      flags: '--rto <duration>',
      description: "how long it may take (default: the fleet file's for a cold standby, then 4h)",
    },
    { flags: '--rpo-state <duration>', description: "how old the state may be (default: the fleet file's, then 1h)" },
    {
      flags: '--rpo-config <duration>',
      description: "how old the configuration may be (default: the fleet file's, then 1d)",
    },
    dryRunOption,
  ],
  events: true,
  async run({ options, args: [which = 'latest'] }, context) {
    const { dryRun, scratch, rto, rpoState, rpoConfig, ...parsed } = parseOptions(schema, options)
    const { readFleet } = await import('../../fleet/fleet.ts')
    const { startFleetRun } = await import('../../fleet/start-run.ts')
    const { backupDrill: procedure } = await import('../../procedures/drill/fleet-procedure.ts')
    const { timingOf } = await import('../../procedures/deploy/timing.ts')
    const { fleetRunResult } = await import('../present/run-result.ts')
    const { drilledResult } = await import('../present/drill-text.ts')
    const fleet = await readFleet(parsed, context)
    const { objectives } = fleet.backup
    const drill = {
      which,
      scratch: resolve('/', scratch),
      objectives: {
        rtoMs: rto ?? objectives.rto.cold,
        configMs: rpoConfig ?? objectives.rpo.configuration,
        stateMs: rpoState ?? objectives.rpo.state,
      },
      healthyDeadlineMs: timingOf({}, fleet).healthyDeadlineMs,
    }
    const result = fleetRunResult(await startFleetRun(procedure, drill, { fleet, options: { dryRun } }, context))
    return dryRun ? result : drilledResult(result)
  },
})

const schema = fleetSchema.extend({
  dryRun: z.boolean().default(false),
  scratch: z.string().startsWith('/', 'expected an absolute path'),
  rto: duration.optional(),
  rpoState: duration.optional(),
  rpoConfig: duration.optional(),
})
