// The section `backup` of the fleet file: what is backed up, where to, how long it is kept, and what is promised.
import * as z from 'zod'
import { backupFolder } from './paths.ts'
import { offsiteSettings, recipient, s3Settings } from './offsite.ts'
import { absolutePath } from './path-values.ts'
import { expects, key } from './schema-notes.ts'
import { duration } from './units.ts'

// guide: Backup Strategy, with the guide's keys and certificates under /etc/network (Security).
const usualPaths = ['/etc/network_system', '/var/lib/network_system', '/etc/network']

const patternWords = 'a pattern such as *.tmp, or a path without its first slash'
const pattern = expects(
  z.string().regex(/^[^/\0][^\0]*$/, `expected ${patternWords}`),
  patternWords,
  (given) => given.replace(/^\/+/, '') || undefined,
)

const count = expects(z.int().min(0).max(100_000), 'a whole number from 0')
const span = (text: string) => expects(duration, 'a duration such as 30d').prefault(text)

/** Which backups are kept: those that any of it asks for. What is not verified counts for nothing. */
const keepSection = z
  .strictObject({
    within: key(span('30d'), 'All that are at most this much older than the newest (guide: Backup Strategy).'),
    last: key(count.default(0), 'So many of the newest.'),
    hourly: key(count.default(0), 'The newest of each of so many hours in which there are any.'),
    daily: key(count.default(0), 'The newest of each of so many days, by UTC.'),
    weekly: key(count.default(0), 'The newest of each of so many weeks, from Monday.'),
    monthly: key(count.default(0), 'The newest of each of so many months.'),
  })
  .readonly()

const recoveryPoints = z
  .strictObject({
    configuration: key(span('1d'), 'How old the newest backup of the configuration may be (guide: daily).'),
    state: key(span('1h'), 'How old the newest copy of the state may be (guide: hourly snapshots).'),
    log: key(
      span('1m'),
      'How far what is archived of the transaction log may lag behind (guide: real time, as a bound that can be measured).',
    ),
  })
  .readonly()

const recoveryTimes = z
  .strictObject({
    cold: key(span('4h'), 'How long it may take from nothing but a backup (guide: cold standby).'),
    warm: key(span('30m'), 'With a standby that has to be brought up to date (guide: warm standby).'),
    hot: key(span('5m'), 'With a standby that follows (guide: hot standby).'),
  })
  .readonly()

const objectives = z
  .strictObject({
    rpo: key(recoveryPoints.prefault({}), 'Recovery point objectives: what may be lost.'),
    rto: key(recoveryTimes.prefault({}), 'Recovery time objectives: how long it may take.'),
    verified: key(span('7d'), 'How long ago a backup was last read back and found whole, at most.'),
  })
  .readonly()
export type Objectives = z.output<typeof objectives>

// What is made once a day is a day old when the next one begins, and a little more until that is made and read back.
const slack = 1.1

/** How old something may get of which a duration is promised, in ms. */
export const latest = (promisedMs: number): number => promisedMs * slack

export const backupSection = z
  .strictObject({
    paths: key(
      z.array(absolutePath).min(1).readonly().default(usualPaths),
      'What is backed up, of what is there on a host.',
    ),
    exclude: key(
      z.array(pattern).readonly().default([]),
      'What is left out: a path without its first slash, with all below it; or a pattern with * and ?, held against the last part of each path, or against the whole where it has a slash. Live database files are left out anyway.',
    ),
    to: key(
      absolutePath.default(backupFolder),
      'The folder for archives, on each host; root’s alone (guide: Backup Strategy).',
    ),
    compression: key(z.enum(['gzip', 'zstd']).default('gzip'), 'How archives are compressed.'),
    keep: key(keepSection.prefault({}), 'Which backups are kept; all others are removed after the next one.'),
    objectives: key(objectives.prefault({}), 'What netops backup status holds backups against.'),
    encrypt_to: key(
      z.array(recipient).max(100).readonly().default([]),
      'Whose age identities can read the copies elsewhere; archives on the host itself are not encrypted.',
    ),
    offsite: key(
      offsiteSettings.default([]),
      'Where archives are copied to after they are made: one place, or a list of them.',
    ),
    s3: key(s3Settings.prefault({}), 'How the service behind s3:// is reached, from each host.'),
    textfile: key(
      absolutePath.optional(),
      'The folder that node_exporter reads textfiles from (--collector.textfile.directory), for figures about backups.',
    ),
  })
  .readonly()
export type BackupSettings = z.output<typeof backupSection>

/** What holds where the fleet file says nothing, and below a root. */
export const usualBackup: BackupSettings = backupSection.parse({})
