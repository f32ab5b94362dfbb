// netops backup copy: sends backups elsewhere that are not there yet.
import * as z from 'zod'
import { backupId } from '../../model/backup.ts'
import { NetopsError } from '../../model/errors.ts'
import { recipient, storageAddress } from '../../model/offsite.ts'
import { defineCommand } from '../command.ts'
import { dryRunOption, fleetOptions, fleetSchema, nameList, parseOptions, rootOption } from '../options.ts'
import { policyOf, rolloutOptions, rolloutSchema } from '../rollout.ts'

const schema = fleetSchema.extend({
  ...rolloutSchema,
  missing: z.boolean().default(false),
  place: storageAddress.optional(),
  encryptTo: nameList.pipe(z.array(recipient)).optional(),
  dryRun: z.boolean().default(false),
})

export const backupCopy = defineCommand({
  name: 'backup copy',
  summary:
    'Send backups to backup.offsite that are not there yet: encrypted, verified there; goes on where it broke off',
  args: '[ids...]',
  examples: [
    'netops backup copy --missing',
    'netops backup copy config_20261127_020000 --hosts web1',
    'netops backup copy --missing --place /mnt/disk --encrypt-to age1...',
  ],
  options: [
    ...fleetOptions,
    rootOption,
    { flags: '--missing', description: 'all good backups that are not in each place (default)' },
    { flags: '--place <address>', description: 'send there instead: s3://bucket/prefix, sftp://host/folder, /folder' },
    { flags: '--encrypt-to <recipients>', description: 'for these age recipients instead of backup.encrypt_to' },
    ...rolloutOptions,
    dryRunOption,
  ],
  events: true,
  async run({ options, args }, context) {
    const { missing, place, encryptTo, dryRun, ...parsed } = parseOptions(schema, options)
    const { readFleet } = await import('../../fleet/fleet.ts')
    const { startFleetRun } = await import('../../fleet/start-run.ts')
    const { backupCopy: procedure } = await import('../../procedures/backup-copy/fleet-procedure.ts')
    const { fleetRunResult } = await import('../present/run-result.ts')
    const fleet = await readFleet(parsed, context)
    const { to, s3, offsite, encrypt_to: recipients } = fleet.backup
    const wanted = {
      ...{ which: chosen(args, missing), to, s3 },
      ...{ offsite: place ?? offsite, encrypt_to: encryptTo ?? recipients },
    }
    const how = { fleet, options: { dryRun, policy: policyOf(parsed) } }
    return fleetRunResult(await startFleetRun(procedure, wanted, how, context))
  },
})

/** @throws NetopsError `usage` for what is no id, or ids beside `--missing` */
function chosen(args: readonly string[], missing: boolean): 'missing' | string[] {
  const wrong = args.filter((id) => !backupId.safeParse(id).success)
  if (wrong.length > 0 || (missing && args.length > 0)) {
    const message =
      wrong.length > 0
        ? `${wrong.join(', ')}: expected an id such as config_20261127_020000`
        : '--missing: expected without ids'
    throw new NetopsError('usage', { message, hint: 'see which there are: netops backup list' })
  }
  return args.length > 0 ? [...new Set(args)] : 'missing'
}
