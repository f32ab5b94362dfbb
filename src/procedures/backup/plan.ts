// Backs a host up (guide: Backup Strategy): a fresh checkpoint, an archive, its verification, and what is kept. Pure.
import { backupIdOf, type BackupKind } from '../../model/backup.ts'
import type { WorkEffect } from '../../model/effects.ts'
import { NetopsError } from '../../model/errors.ts'
import { below, hostPaths } from '../../model/paths.ts'
import { independently, sequence, type Group, type Step } from '../../model/plan.ts'
import { makingBaseBackup } from '../base-backup/work.ts'
import { copying } from '../backup-copy/copy.ts'
import { archiving } from './archive.ts'
import { takingCheckpoint } from './checkpoint.ts'
import { concluding } from './conclude.ts'
import { expiring } from './expire.ts'
import type { BackupFacts } from './facts.ts'
import type { BackupRequest } from './request.ts'
import { verifying } from './verify.ts'

/** @throws NetopsError `refused` where nothing of what is to be backed up is there */
export function planBackup(request: BackupRequest, facts: BackupFacts): Group {
  const { root, host, paths, to, keep, compression, exclude, textfile, only, offsite } = request
  const { now, there, state, release = null } = facts
  const database = state === 'postgres' && only !== 'config' ? backUpDatabase(request, facts) : undefined
  if (only === 'database') {
    if (database !== undefined) return database
    throw new NetopsError('refused', {
      host,
      message: 'there is no database to back up: the records of this host are not kept in PostgreSQL',
      hint: 'its state is in every other backup: netops backup',
    })
  }
  if (there.length === 0) {
    throw new NetopsError('refused', {
      host,
      message: `there is nothing to back up: none of ${paths.join(', ')} is there`,
      hint: 'say what is to be backed up: backup.paths in the fleet file',
    })
  }
  const id = freeId('config', now, facts.ids)
  const { catalogue } = hostPaths(root)
  const roots = there.map((path) => path.slice(1))
  const folder = below(root, to)
  const conclude = stepOf(
    host,
    'conclude',
    'See whether all is in it',
    concluding({ catalogue, id, textfile: textfile === undefined ? null : below(root, textfile) }),
  )
  const archive = sequence(`Make ${id} on ${host}`, [
    stepOf(
      host,
      'archive',
      `Archive ${there.join(', ')} as ${id}`,
      archiving({ root, catalogue, folder, id, roots, exclude, compression, release }),
    ),
    stepOf(host, 'verify', `Read ${id} back`, verifying({ catalogue, ids: [id], only: 'unverified' })),
    stepOf(host, 'expire', 'Remove backups that no rule keeps', expiring({ catalogue, keep, nowMs: now })),
    // A copy that fails takes nothing from the backup, and what is told of it is told all the same.
    offsite === undefined
      ? conclude
      : independently(
          `Copy ${id} elsewhere`,
          [
            stepOf(
              host,
              'copy',
              `Copy ${id} to ${offsite.places.join(', ')}`,
              copying({ root, catalogue, folder, ids: [id], offsite, made: 'in this run' }),
            ),
            conclude,
          ],
          1,
        ),
  ])
  // Each for itself: a server that is away keeps nobody's configuration from being archived.
  if (database !== undefined) return independently(`Back up ${host}`, [database, archive], 1)
  if (state !== 'sqlite') return archive
  // Without a fresh checkpoint the rest is worth being archived all the same.
  const checkpoint = stepOf(host, 'checkpoint', 'Have the server take a checkpoint', takingCheckpoint({ root, id }))
  return independently(`Back up ${host}`, [checkpoint, archive], 1)
}

/** A base backup of the database, of which the log can be replayed (netops db archive setup). */
function backUpDatabase(
  { root, host, to, compression, keep, offsite }: BackupRequest,
  { now, ids, release }: BackupFacts,
): Group {
  const id = freeId('database', now, ids)
  const { catalogue } = hostPaths(root)
  const folder = below(root, to)
  return sequence(`Back up the database of ${host}`, [
    stepOf(
      host,
      'database',
      `Make the base backup ${id}`,
      makingBaseBackup({ root, folder, id, compression, release: release ?? null }),
    ),
    stepOf(host, 'database-verify', `Read ${id} back`, verifying({ catalogue, ids: [id], only: 'unverified' })),
    stepOf(host, 'database-expire', 'Remove backups that no rule keeps', expiring({ catalogue, keep, nowMs: now })),
    // The last of them: what fails there takes nothing from the backup.
    ...(offsite === undefined
      ? []
      : [
          stepOf(
            host,
            'database-copy',
            `Copy ${id} to ${offsite.places.join(', ')}`,
            copying({ root, catalogue, folder, ids: [id], offsite, made: 'in this run' }),
          ),
        ]),
  ])
}

/** A step of work; there is nothing to undo of any. */
export const stepOf = (host: string, id: string, title: string, work: WorkEffect): Step => ({
  ...{ kind: 'step', id, host, title, act: [work], undo: [] },
})

/** The id for a time; that of the next free second where it is taken. */
function freeId(kind: BackupKind, atMs: number, taken: readonly string[]): string {
  const id = backupIdOf(kind, atMs)
  return taken.includes(id) ? freeId(kind, atMs + 1000, taken) : id
}
