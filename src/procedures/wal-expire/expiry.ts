// Which segments of an archived log no base backup needs any more, and the work that removes them.
import { promises as fs } from 'node:fs'
import { dirname, join } from 'node:path'
import * as z from 'zod'
import type { BackupEntry } from '../../model/backup.ts'
import { quoteCommand } from '../../model/quote.ts'
import { formatLsn, parseLsn, removableWal, segmentName, segmentOf, walFilesIn, type Lsn } from '../../model/wal.ts'
import type { ArchiveRecord } from '../../postgres/archive-record.ts'
import { listIfAny, syncFolder } from '../../system/files.ts'
import { refuseDistrustedHere } from '../../system/folder-trust.ts'
import { defineWork } from '../work.ts'

export interface WalExpiry {
  readonly remove: readonly string[]
  /** Why those, or why none, for people. */
  readonly reason: string
  /** Where the log that is needed begins; undefined where none may be removed. */
  readonly oldest: { readonly timeline: number; readonly lsn: string } | undefined
}

/**
 * Everything before the oldest base backup that is kept. Pure.
 * @param names what lies in the archive's folder
 * @param entries the catalogue; a base backup counts whether it was verified or not, for its log may yet be needed
 */
export function planWalExpiry(
  names: readonly string[],
  { segmentBytes, systemId }: Pick<ArchiveRecord, 'segmentBytes' | 'systemId'>,
  entries: readonly BackupEntry[],
): WalExpiry {
  const needs = entries.flatMap(({ id, cluster }) => {
    const lsn = cluster?.systemId === systemId ? parseLsn(cluster.from) : undefined
    return cluster === null || lsn === undefined ? [] : [{ id, timeline: cluster.timeline, lsn }]
  })
  const [oldest] = needs.toSorted((a, b) => compare(a.lsn, b.lsn))
  if (oldest === undefined) {
    return { remove: [], reason: 'no base backup of this cluster is there, so all of its log stays', oldest: undefined }
  }
  // Of a backup on a later timeline, the earlier ones need nothing before it either.
  const timeline = Math.min(...needs.map((one) => one.timeline))
  const { whole } = walFilesIn(names, segmentBytes)
  const remove = removableWal(names, { timeline, lsn: oldest.lsn }, segmentBytes)
  const first = segmentName({ timeline, number: segmentOf(oldest.lsn, segmentBytes) }, segmentBytes)
  const reason =
    remove.length === 0
      ? `${oldest.id} is the oldest base backup, and needs the log from ${first} on: none of ${whole.length} segments is older`
      : `${oldest.id} is the oldest base backup, and needs the log from ${first} on: ${remove.length} of ${whole.length} segments are older`
  return { remove, reason, oldest: { timeline, lsn: formatLsn(oldest.lsn) } }
}

const compare = (a: Lsn, b: Lsn): number => (a < b ? -1 : a > b ? 1 : 0)

export const expireWal = defineWork({
  name: 'expire-wal',
  input: z.strictObject({
    folder: z.string().startsWith('/'),
    segmentBytes: z.int(),
    oldest: z.strictObject({ timeline: z.int(), lsn: z.string() }),
  }),
  changes: true,
  show: ({ folder, segmentBytes, oldest }) => {
    const number = segmentOf(parseLsn(oldest.lsn) ?? 0n, segmentBytes)
    return [
      quoteCommand(['pg_archivecleanup', folder, segmentName({ timeline: oldest.timeline, number }, segmentBytes)]),
    ]
  },
  async run({ folder, segmentBytes, oldest }, { signal, isDone, done, progress }) {
    // The folder itself may be the server's, where that copies its log: names are removed there, and no link is followed.
    await refuseDistrustedHere([dirname(folder)])
    const lsn = parseLsn(oldest.lsn) ?? 0n
    const names = removableWal(await listIfAny(folder), { timeline: oldest.timeline, lsn }, segmentBytes)
    let removed = 0
    for (const name of names) {
      if (signal.aborted) break
      progress(removed, names.length)
      if (!isDone(name)) await fs.rm(join(folder, name), { force: true })
      done(name)
      removed += 1
    }
    await syncFolder(folder)
    return { removed, bytes: removed * segmentBytes }
  },
})
