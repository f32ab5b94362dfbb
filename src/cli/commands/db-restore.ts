// netops db restore: a database from a base backup and the archived log, into a cluster of its own.
import * as z from 'zod'
import { plainPath } from '../../model/paths.ts'
import { duration } from '../../model/units.ts'
import { defineCommand } from '../command.ts'
import { dryRunOption, fleetOptions, fleetSchema, parseOptions, rootOption } from '../options.ts'

const absolute = z.string().regex(plainPath, 'expected an absolute path')

const zoned = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d(?:\.\d{1,6})?) ?(Z|[+-]\d\d(?::?\d\d)?)$/

/** A second with its time zone: nobody's own zone may decide what is lost. */
const targetTime = z.string().transform((text, context) => {
  const [, day = '', time = '', zone = ''] = zoned.exec(text.trim()) ?? []
  const offset = /^[+-]\d\d$/.test(zone) ? `${zone}:00` : zone.replace(/^([+-]\d\d)(\d\d)$/, '$1:$2')
  const at = Date.parse(`${day}T${time}${offset}`)
  if (!Number.isNaN(at)) return { kind: 'time' as const, at: new Date(at).toISOString() }
  context.addIssue({
    code: 'custom',
    message: 'expected a second with its time zone, such as 2026-11-27T18:10:36Z or 2026-11-27 19:10:36+01:00',
  })
  return z.NEVER
})

const schema = fleetSchema.extend({
  to: absolute,
  port: z.coerce.number<string>().int().min(1).max(65_535).default(5433),
  targetTime: targetTime.optional(),
  promote: z.boolean().default(false),
  account: z.string().default('postgres'),
  wal: absolute.optional(),
  postgresBin: absolute.optional(),
  timeout: duration.prefault('1h'),
  dryRun: z.boolean().default(false),
})

export const dbRestore = defineCommand({
  name: 'db restore',
  summary:
    'Restore the database into a new cluster beside the one that is there, up to a second of your choice, and start it',
  args: '[backup]',
  examples: [
    'netops db restore --to /var/lib/postgresql/15/restored --dry-run',
    'netops db restore --to /var/lib/postgresql/15/restored --target-time 2026-11-27T18:10:36Z',
    'netops db restore database_20261127_021500 --to /srv/restored --port 5434 --promote --hosts db1',
  ],
  options: [
    ...fleetOptions,
    rootOption,
    { flags: '--to <dir>', description: "the new cluster's folder, which must not be there yet" },
    { flags: '--port <n>', description: 'the port of 127.0.0.1 that it listens on', default: '5433' },
    {
      flags: '--target-time <time>',
      description: 'what was committed by then, with a time zone; without it, all of the log',
    },
    {
      flags: '--promote',
      description: 'take writes once the time is reached, instead of waiting there to be looked at',
    },
    { flags: '--account <name>', description: 'who the cluster belongs to and runs as', default: 'postgres' },
    { flags: '--wal <dir>', description: 'where the log lies (default: where it is archived on the host)' },
    {
      flags: '--postgres-bin <dir>',
      description: "where PostgreSQL's programs lie on the host (default: the usual places)",
    },
    { flags: '--timeout <duration>', description: 'how long replaying the log may take', default: '1h' },
    dryRunOption,
  ],
  events: true,
  async run({ options, args: [backup] }, context) {
    const {
      to,
      port,
      targetTime: time,
      promote,
      account,
      wal,
      postgresBin,
      timeout,
      dryRun,
      ...parsed
    } = parseOptions(schema, options)
    const { readFleet } = await import('../../fleet/fleet.ts')
    const { startFleetRun } = await import('../../fleet/start-run.ts')
    const { databaseRestore } = await import('../../procedures/database-restore/fleet-procedure.ts')
    const { fleetRunResult } = await import('../present/run-result.ts')
    const { restoredLines } = await import('../present/restored-text.ts')
    const fleet = await readFleet(parsed, context)
    const restoring = {
      ...{ into: to, port, account, promote, withinMs: timeout, target: time ?? ({ kind: 'latest' } as const) },
      ...(backup === undefined ? {} : { backup }),
      ...(wal === undefined ? {} : { wal }),
      ...(postgresBin === undefined ? {} : { bin: postgresBin }),
    }
    const end = await startFleetRun(databaseRestore, restoring, { fleet, options: { dryRun } }, context)
    const result = fleetRunResult(end)
    return { ...result, text: [result.text, ...restoredLines(result.data)].join('\n') }
  },
})
