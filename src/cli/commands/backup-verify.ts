// netops backup verify: reads backups back and notes what was found.
import * as z from 'zod'
import { backupId } from '../../model/backup.ts'
import { NetopsError } from '../../model/errors.ts'
import { defineCommand } from '../command.ts'
import { dryRunOption, fleetOptions, fleetSchema, parseOptions, rootOption } from '../options.ts'
import { policyOf, rolloutOptions, rolloutSchema } from '../rollout.ts'

const percent = /^(?:[1-9]\d?|100)(?:\.\d+)?%$/
const schema = fleetSchema.extend({
  ...rolloutSchema,
  all: z.boolean().default(false),
  sample: z
    .string()
    .regex(percent, 'expected a share such as 10%')
    .transform((text) => Math.min(1, Number.parseFloat(text) / 100))
    .default(1),
  dryRun: z.boolean().default(false),
})

export const backupVerify = defineCommand({
  name: 'backup verify',
  summary: 'Read backups back, each byte against its hash; exit 9 when one is damaged or missing',
  args: '[ids...]',
  examples: [
    'netops backup verify',
    'netops backup verify --all --sample 10%',
    'netops backup verify config_20261127_020000 --hosts web1',
  ],
  options: [
    ...fleetOptions,
    rootOption,
    { flags: '--all', description: 'all backups (default: the newest of each kind)' },
    { flags: '--sample <share>', description: 'read only this share of each, another one each time: 10%' },
    ...rolloutOptions,
    dryRunOption,
  ],
  events: true,
  async run({ options, args }, context) {
    const { all, sample: share, dryRun, ...parsed } = parseOptions(schema, options)
    const { readFleet } = await import('../../fleet/fleet.ts')
    const { startFleetRun } = await import('../../fleet/start-run.ts')
    const { backupVerify: procedure } = await import('../../procedures/backup-verify/fleet-procedure.ts')
    const { fleetRunResult } = await import('../present/run-result.ts')
    const fleet = await readFleet(parsed, context)
    const { textfile } = fleet.backup
    const how = { fleet, options: { dryRun, policy: policyOf(parsed) } }
    return fleetRunResult(await startFleetRun(procedure, { which: chosen(args, all), share, textfile }, how, context))
  },
})

/** @throws NetopsError `usage` for what is no id, or ids beside `--all` */
function chosen(args: readonly string[], all: boolean): 'all' | 'newest' | string[] {
  const wrong = args.filter((id) => !backupId.safeParse(id).success)
  if (wrong.length > 0 || (all && args.length > 0)) {
    const message =
      wrong.length > 0
        ? `${wrong.join(', ')}: expected an id such as config_20261127_020000`
        : '--all: expected without ids'
    throw new NetopsError('usage', { message, hint: 'see which there are: netops backup list' })
  }
  return args.length > 0 ? [...new Set(args)] : all ? 'all' : 'newest'
}
