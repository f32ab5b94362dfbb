// Backups as everything that makes, lists, verifies and restores them knows them: their ids, and what the catalogue says of each.
import * as z from 'zod'
import { sha256Hex } from './sha256.ts'

/** `config`: configuration and state of a host as files. `database`: a PostgreSQL cluster. */
export const backupKinds = ['config', 'database'] as const
export type BackupKind = (typeof backupKinds)[number]

const idPattern = /^(config|database)_(\d{4})(\d\d)(\d\d)_(\d\d)(\d\d)(\d\d)$/

/** The name of a backup and of its archive: `config_20261127_021500`, by UTC, so that no hour comes twice. */
export const backupId = z.string().regex(idPattern, 'expected an id such as config_20261127_021500')

/**
 * The id of a backup that is made at a time.
 * @param atMs in ms since 1970
 */
export const backupIdOf = (kind: BackupKind, atMs: number): string =>
  `${kind}_${new Date(atMs).toISOString().slice(0, 19).replace(/[-:]/g, '').replace('T', '_')}`

/** What an id says: the kind, and the time in ms since 1970; undefined for what is none. */
export function parseBackupId(id: string): { readonly kind: BackupKind; readonly atMs: number } | undefined {
  const [, kind, year, month, day, hour, minute, second] = idPattern.exec(id) ?? []
  const atMs = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  return kind === undefined || Number.isNaN(atMs) ? undefined : { kind: kind as BackupKind, atMs }
}

const count = z.int().nonnegative()
const time = z.iso.datetime()
const text = z.string().max(4096)

/** How a backup was found to be whole. */
const verification = z.strictObject({
  at: time,
  /** `stored`: every byte read was what its hash says. `restorable`: it was unpacked, and its state opened. */
  how: z.enum(['stored', 'restorable']),
  /** Which part of it was read, from 0 to 1. */
  share: z.number().min(0).max(1),
})
export type BackupVerification = z.output<typeof verification>

/** A copy elsewhere. */
const copy = z.strictObject({
  /** The address of the place: `s3://bucket/prefix`. */
  to: text,
  /** Its objects there: archive, index and manifest, as far as they were copied. */
  objects: z
    .array(
      z.strictObject({
        name: text,
        bytes: count,
        sha256: sha256Hex,
        /** The service's own checksum, where it shows one. */
        receipt: text.exactOptional(),
      }),
    )
    .max(16),
  at: time,
  /** How it is known that they are whole there (drivers/storage/port.ts, Evidence). */
  evidence: text,
  encrypted: z.boolean(),
  /** By whom it can be read: {@link recipientsDigest}; not there where it is not encrypted. */
  recipients: sha256Hex.exactOptional(),
})
export type BackupCopy = z.output<typeof copy>

/** Of a backup of a PostgreSQL cluster. */
const cluster = z.strictObject({
  /** server_version_num. */
  version: count,
  systemId: z.string().regex(/^\d{1,20}$/),
  timeline: z.int().min(1),
  /** Positions of the log that it needs, from and to: `0/3000028`. */
  from: z.string().regex(/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/),
  to: z.string().regex(/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/),
})

/** What the catalogue says of one backup: `/var/lib/netops/backups/ID.json`. */
export const backupEntry = z.strictObject({
  schema: z.literal('netops/backup/v1'),
  id: backupId,
  kind: z.enum(backupKinds),
  /** The folder in which its archive lies: absolute on this machine. Archive, index and manifest have the id as their name. */
  folder: z.string().startsWith('/').max(4096),
  /** The archive's file in that folder: `ID.tar.gz`. */
  file: z.string().regex(/^[\w.-]{1,255}$/),
  compression: z.enum(['gzip', 'zstd']),
  /** When what it holds was looked at; what was written afterwards is not in it. */
  madeAt: time,
  /** How long it took to make. */
  seconds: z.number().nonnegative(),
  /** Of the archive file, and of the tar in it. */
  bytes: count,
  rawBytes: count,
  entries: count,
  /** Of the manifest file: with it everything else is known to be as it was written. */
  manifestSha256: sha256Hex,
  /** The archive of which this one is another name, where nothing had changed. */
  sameAs: backupId.nullable(),
  /** The release in service; null where none was. */
  release: text.nullable(),
  /** The data schema of the state in it (model/data-schema.ts); null where it holds none, or that could not be told. */
  dataSchema: count.nullable(),
  /** The newest copy of the state in it; null where it holds none. */
  checkpoint: z.strictObject({ file: text, takenAt: time }).nullable(),
  /** Of a cluster; null for files. */
  cluster: cluster.nullable(),
  /** How much is not in it as it should be; the manifest names it. */
  troubles: z.strictObject({ unreadable: count, vanished: count, changed: count, missing: count }),
  /** How much is not in it on purpose. */
  leftOut: count,
  /** When it was last found to be whole: by the most that was ever read at once. */
  verified: verification.nullable(),
  /** What was found wrong with it, when it was last looked at; null where nothing was. */
  damage: z.strictObject({ at: time, what: z.array(text).min(1).max(100) }).nullable(),
  copies: z.array(copy).max(1000),
})
export type BackupEntry = z.output<typeof backupEntry>

/** Whether it can be relied on: all of it was read back, and nothing was found wrong since. */
export const isGood = ({ verified, damage }: Pick<BackupEntry, 'verified' | 'damage'>): boolean =>
  verified !== null && verified.share === 1 && damage === null
