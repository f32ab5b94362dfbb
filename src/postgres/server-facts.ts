// What a PostgreSQL server says of its log and of who receives it, and whether its log can be archived from here.
import * as z from 'zod'
import { NetopsError } from '../model/errors.ts'
import { parseLsn, type Lsn } from '../model/wal.ts'
import { askJson, placeOf, type Asking } from './ask.ts'
import { identifier, literal, type DatabaseLogin } from './login.ts'

const lsn = z.string().transform((text, context): Lsn => {
  const position = parseLsn(text)
  if (position !== undefined) return position
  context.addIssue({ code: 'custom', message: 'expected a position of the log' })
  return z.NEVER
})
const count = z.int().nonnegative()

const serverFacts = z.object({
  /** server_version_num: 150018. */
  version: count,
  isSuperuser: z.boolean(),
  mayReplicate: z.boolean(),
  walLevel: z.string(),
  senders: count,
  mostSenders: count,
  slots: count,
  mostSlots: count,
  segmentBytes: z.int().min(1 << 20),
  inRecovery: z.boolean(),
  timeline: z.int().min(1),
  /** Where the log ends now. */
  lsn,
  /** The server's clock, in ms since 1970. */
  now: z.number(),
  /** How much of the log a slot may keep from being removed, in MB; -1 for as much as it takes. */
  mostKept: z.number(),
  archive: z.object({
    mode: z.string(),
    command: z.string(),
    timeout: z.string(),
    /** The segment that was archived last, when, and how often that failed. */
    last: z.string().nullable(),
    at: z.number().nullable(),
    failed: count,
    failedAt: z.number().nullable(),
  }),
  slot: z
    .object({
      type: z.string(),
      active: z.boolean(),
      /** From where on the log is kept for it; null before it was used. */
      from: lsn.nullable(),
      /** `reserved`, `extended`, `unreserved` or `lost` (documentation, pg_replication_slots). */
      walStatus: z.string().nullable(),
      /** Bytes of the log that are kept for it. */
      kept: z.number().nullable(),
    })
    .nullable(),
})
export type ServerFacts = z.output<typeof serverFacts>

const epoch = (time: string): string => `extract(epoch FROM ${time}) * 1000`
const setting = (name: string): string => `current_setting('${name}')`

/** One statement that gives {@link ServerFacts}; only views and functions that everybody may use. */
const factsSql = (slot: string): string => `SELECT json_build_object(
  'version', ${setting('server_version_num')}::int,
  'isSuperuser', (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user),
  'mayReplicate', (SELECT rolsuper OR rolreplication FROM pg_catalog.pg_roles WHERE rolname = current_user),
  'walLevel', ${setting('wal_level')},
  'senders', (SELECT count(*) FROM pg_catalog.pg_stat_get_wal_senders()),
  'mostSenders', ${setting('max_wal_senders')}::int,
  'slots', (SELECT count(*) FROM pg_catalog.pg_replication_slots),
  'mostSlots', ${setting('max_replication_slots')}::int,
  'segmentBytes', pg_size_bytes(${setting('wal_segment_size')}),
  'inRecovery', pg_is_in_recovery(),
  'timeline', (SELECT timeline_id FROM pg_catalog.pg_control_checkpoint()),
  'lsn', now_at.lsn,
  'now', ${epoch('clock_timestamp()')},
  'mostKept', (SELECT setting::bigint FROM pg_catalog.pg_settings WHERE name = 'max_slot_wal_keep_size'),
  'archive', (SELECT json_build_object('mode', ${setting('archive_mode')}, 'command', ${setting('archive_command')},
    'timeout', ${setting('archive_timeout')}, 'last', last_archived_wal, 'at', ${epoch('last_archived_time')},
    'failed', failed_count, 'failedAt', ${epoch('last_failed_time')}) FROM pg_catalog.pg_stat_archiver),
  'slot', (SELECT json_build_object('type', slot_type, 'active', active, 'from', restart_lsn, 'walStatus', wal_status,
    'kept', pg_wal_lsn_diff(now_at.lsn, restart_lsn)) FROM pg_catalog.pg_replication_slots WHERE slot_name = ${literal(slot)}))
FROM (SELECT CASE WHEN pg_is_in_recovery() THEN coalesce(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
  ELSE pg_current_wal_lsn() END AS lsn) AS now_at`

/**
 * Asks a server for all that archiving its log hangs on.
 * @param slot the replication slot that is looked at
 * @throws NetopsError as {@link askJson}
 */
export const readServerFacts = (asking: Asking, slot: string): Promise<ServerFacts> =>
  askJson(asking, factsSql(slot), serverFacts)

/** How the log is to be received. */
export interface Wanted {
  readonly login: DatabaseLogin
  readonly slot: string
  /** The major version of the programs that would receive it. */
  readonly toolsMajor: number
  /** Whether the slot is one that netops has made here. */
  readonly isOurs: boolean
}

/**
 * Refuses to receive the log of a server that cannot give it. Pure.
 * @throws NetopsError `refused` with what must be done there
 */
export function refuseUnfitServer(server: ServerFacts, { login, slot, toolsMajor, isOurs }: Wanted): void {
  const place = placeOf(login)
  const major = Math.floor(server.version / 10_000)
  const refuse = (message: string, hint: string): never => {
    throw new NetopsError('refused', { message: `${place}: ${message}; nothing was changed`, hint })
  }
  const asSuperuser = 'as a superuser of the database'
  if (toolsMajor < major) {
    refuse(
      `the server is PostgreSQL ${major}, and pg_receivewal here is of ${toolsMajor}, which does not receive from a newer one`,
      `apt-get install postgresql-client-${major}`,
    )
  }
  if (!server.mayReplicate) {
    refuse(
      `${login.user} has no right of replication`,
      `${asSuperuser}: ALTER ROLE ${identifier(login.user)} REPLICATION;`,
    )
  }
  if (server.walLevel === 'minimal') {
    refuse(
      'wal_level is minimal, so its log is not enough to restore from',
      `${asSuperuser}, and restart it: ALTER SYSTEM SET wal_level = 'replica';`,
    )
  }
  const taken = server.slot?.active === true ? 0 : 1
  if (server.senders + taken > server.mostSenders) {
    refuse(
      `all of its ${server.mostSenders} senders of the log are taken (max_wal_senders)`,
      `${asSuperuser}, and restart it: ALTER SYSTEM SET max_wal_senders = ${Math.max(10, server.mostSenders + 2)};`,
    )
  }
  if (server.slot === null && server.slots >= server.mostSlots) {
    refuse(
      `all of its ${server.mostSlots} replication slots are taken (max_replication_slots)`,
      `drop one that nobody needs: SELECT slot_name, active FROM pg_replication_slots; or ${asSuperuser}, and restart it: ALTER SYSTEM SET max_replication_slots = ${Math.max(10, server.mostSlots + 2)};`,
    )
  }
  refuseSlot(server, slot, isOurs, refuse)
}

function refuseSlot(
  { slot: found }: ServerFacts,
  slot: string,
  isOurs: boolean,
  refuse: (message: string, hint: string) => never,
): void {
  if (found === null) return
  const drop = `SELECT pg_drop_replication_slot(${literal(slot)});`
  if (found.type !== 'physical') refuse(`the slot ${slot} is a ${found.type} one`, 'choose another name: --slot NAME')
  if (found.active && !isOurs) {
    refuse(`the slot ${slot} is in use by somebody else`, 'choose another name: --slot NAME')
  }
  if (found.walStatus === 'lost') {
    refuse(
      `the slot ${slot} has lost its place: the server removed what had not been received (max_slot_wal_keep_size)`,
      `drop it, set up again, and make a base backup, for the log has a gap: ${drop}`,
    )
  }
}
