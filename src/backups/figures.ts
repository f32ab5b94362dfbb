// Figures about a host's backups, as node_exporter's textfile collector reads them. Pure.
import { backupKinds, isGood, type BackupEntry } from '../model/backup.ts'
import { bytesOnDisk } from './catalogue.ts'

/** The file's name in the collector's folder. */
export const figuresFile = 'netops_backup.prom'

interface Figure {
  readonly name: string
  readonly help: string
  /** Of one kind of backup, the newest first; undefined where there is none. */
  readonly of: (entries: readonly BackupEntry[]) => number | undefined
}

const seconds = (iso: string | undefined): number | undefined =>
  iso === undefined ? undefined : Date.parse(iso) / 1000

const figures: readonly Figure[] = [
  {
    name: 'netops_backup_last_success_timestamp_seconds',
    help: 'When the newest good backup was made: read back, and whole.',
    of: (entries) => seconds(entries.find(isGood)?.madeAt),
  },
  {
    name: 'netops_backup_last_verified_timestamp_seconds',
    help: 'When a backup was last read back and found whole.',
    of: (entries) => {
      const times = entries.filter(isGood).flatMap(({ verified }) => seconds(verified?.at) ?? [])
      return times.length === 0 ? undefined : Math.max(...times)
    },
  },
  {
    name: 'netops_backup_last_size_bytes',
    help: 'Size of the newest archive.',
    of: ([newest]) => newest?.bytes,
  },
  {
    name: 'netops_backup_last_duration_seconds',
    help: 'How long the newest backup took to make.',
    of: ([newest]) => newest?.seconds,
  },
  {
    name: 'netops_backup_last_troubles',
    help: 'Files that are not in the newest backup as they should be.',
    of: ([newest]) =>
      newest === undefined ? undefined : Object.values(newest.troubles).reduce((sum, count) => sum + count, 0),
  },
  {
    name: 'netops_backup_last_copied_timestamp_seconds',
    help: 'When the newest backup was made that has a copy elsewhere.',
    of: (entries) => seconds(entries.find(({ copies }) => copies.length > 0)?.madeAt),
  },
  { name: 'netops_backups', help: 'Backups in the catalogue.', of: (entries) => entries.length },
  { name: 'netops_backups_bytes', help: 'What all backups take of the disk.', of: bytesOnDisk },
  {
    name: 'netops_backups_damaged',
    help: 'Backups that were found damaged.',
    of: (entries) => entries.filter(({ damage }) => damage !== null).length,
  },
]

/**
 * The text of the file.
 * @param entries the newest first
 */
export function figuresText(entries: readonly BackupEntry[]): string {
  const kinds = backupKinds
    .map((kind) => ({ kind, own: entries.filter((entry) => entry.kind === kind) }))
    .filter(({ kind, own }) => kind === 'config' || own.length > 0)
  return figures
    .flatMap(({ name, help, of }) => [
      `# HELP ${name} ${help}`,
      `# TYPE ${name} gauge`,
      ...kinds.flatMap(({ kind, own }) => {
        const value = of(own)
        return value === undefined ? [] : [`${name}{kind="${kind}"} ${value}`]
      }),
    ])
    .map((line) => `${line}\n`)
    .join('')
}
