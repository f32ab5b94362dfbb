// netops db archive setup and remove: the log of a host's database is archived as it is written, or no more.
import * as z from 'zod'
import { plainPath } from '../../model/paths.ts'
import type { WalArchiving } from '../../procedures/wal-archive/fleet-procedure.ts'
import { defineCommand, type Command, type CommandContext, type OptionSpec } from '../command.ts'
import { dryRunOption, fleetOptions, fleetSchema, parseOptions, rootOption } from '../options.ts'
import { confirmOption } from '../terminal/confirm.ts'

const absolute = z.string().regex(plainPath, 'expected an absolute path')

const setupOptions: readonly OptionSpec[] = [
  {
    flags: '--mode <mode>',
    description:
      'stream: a receiver of this host, in real time; archive_command: the server copies each segment, on its own host',
    default: 'stream',
  },
  {
    flags: '--to <dir>',
    description:
      'the folder of backups on the host (default: backup.to of the fleet file); the log goes into wal in it',
  },
  { flags: '--slot <name>', description: 'the replication slot', default: 'netops_wal' },
  { flags: '--synchronous', description: 'the server is told of each piece only once it is on the disk here' },
  { flags: '--user <name>', description: "who logs in; the configuration's own account where it does not say" },
  { flags: '--password-file <file>', description: "a file of the host with that account's password" },
  {
    flags: '--postgres-bin <dir>',
    description: "where PostgreSQL's programs lie on the host (default: the usual places)",
  },
  { flags: '--account <name>', description: 'the account of the server, for archive_command', default: 'postgres' },
]

const setupSchema = fleetSchema.extend({
  mode: z.enum(['stream', 'archive_command']).default('stream'),
  to: absolute.optional(),
  slot: z
    .string()
    .regex(/^[a-z0-9_]{1,63}$/, 'expected 1 to 63 lower case letters, digits and underscores')
    .default('netops_wal'),
  synchronous: z.boolean().default(false),
  user: z.string().optional(),
  passwordFile: absolute.optional(),
  postgresBin: absolute.optional(),
  account: z.string().default('postgres'),
  dryRun: z.boolean().default(false),
})

export const dbArchiveSetup = defineCommand({
  name: 'db archive setup',
  summary: 'Archive the transaction log (WAL) of the database as it is written',
  examples: [
    'netops db archive setup --dry-run',
    'netops db archive setup --hosts db1 --synchronous',
    'netops db archive setup --user replicator --password-file /etc/network_system/replicator.password',
    'netops db archive setup --mode archive_command',
  ],
  options: [...fleetOptions, rootOption, ...setupOptions, dryRunOption],
  events: true,
  async run({ options }, context) {
    const { mode, to, slot, synchronous, user, passwordFile, postgresBin, account, ...parsed } = parseOptions(
      setupSchema,
      options,
    )
    const wanted: Wanted = {
      ...{ action: 'set-up', mode, slot, synchronous, account },
      ...(to === undefined ? {} : { to }),
      ...(user === undefined ? {} : { user }),
      ...(passwordFile === undefined ? {} : { passwordFile }),
      ...(postgresBin === undefined ? {} : { bin: postgresBin }),
    }
    return runOnFleet(wanted, parsed, context)
  },
})

const removeSchema = fleetSchema.extend({ confirm: z.string().optional(), dryRun: z.boolean().default(false) })

export const dbArchiveRemove: Command = defineCommand({
  name: 'db archive remove',
  summary: 'Archive the log of the database no more, and remove the replication slot; what was archived stays',
  examples: ['netops db archive remove --dry-run', 'netops db archive remove --hosts db1'],
  options: [...fleetOptions, rootOption, dryRunOption, confirmOption],
  events: true,
  async run({ options }, context) {
    // What it takes down, the host has written down.
    const any = { mode: 'stream', slot: 'netops_wal', synchronous: false, account: 'postgres' } as const
    return runOnFleet({ ...any, action: 'take-down' }, parseOptions(removeSchema, options), context)
  },
})

/** The folder may be left to the fleet file. */
type Wanted = Omit<WalArchiving, 'to'> & Partial<Pick<WalArchiving, 'to'>>

type Parsed = z.output<typeof removeSchema>

async function runOnFleet(wanted: Wanted, { dryRun, confirm, ...parsed }: Parsed, context: CommandContext) {
  const { readFleet } = await import('../../fleet/fleet.ts')
  const { startFleetRun } = await import('../../fleet/start-run.ts')
  const { walArchive } = await import('../../procedures/wal-archive/fleet-procedure.ts')
  const { fleetRunResult } = await import('../present/run-result.ts')
  const { confirmation } = await import('../terminal/confirm.ts')
  const fleet = await readFleet(parsed, context)
  const what = { destroys: 'ends the archive of the log on', confirmed: confirm }
  const confirming = wanted.action === 'take-down' ? { confirm: confirmation(what, fleet, context) } : {}
  const archiving = { ...wanted, to: wanted.to ?? fleet.backup.to }
  return fleetRunResult(
    await startFleetRun(walArchive, archiving, { fleet, options: { dryRun, ...confirming } }, context),
  )
}
