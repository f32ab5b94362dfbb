// Entries of a catalogue as a backup would have made them.
import { backupIdOf, type BackupEntry } from '../../src/model/backup.ts'

/** A backup that was made at a time, in ms since 1970, and not verified yet. */
export function backupEntryOf(atMs: number, differences: Partial<BackupEntry> = {}): BackupEntry {
  const kind = differences.kind ?? 'config'
  const id = backupIdOf(kind, atMs)
  return {
    ...{ schema: 'netops/backup/v1', id, kind, folder: '/var/backups/network_system', file: `${id}.tar.gz` },
    ...{ compression: 'gzip', madeAt: new Date(atMs).toISOString(), seconds: 1.5, bytes: 1000, rawBytes: 10_240 },
    ...{ entries: 12, manifestSha256: 'a'.repeat(64), sameAs: null, release: '1.0.0-0123456789ab', dataSchema: 2 },
    ...{ checkpoint: null, cluster: null, troubles: { unreadable: 0, vanished: 0, changed: 0, missing: 0 } },
    ...{ leftOut: 3, verified: null, damage: null, copies: [] },
    ...differences,
  }
}
