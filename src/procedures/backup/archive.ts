// Makes the archive of a backup and enters it into the catalogue.
import { setPriority } from 'node:os'
import { join } from 'node:path'
import * as z from 'zod'
import { makeArchive, type MadeArchive } from '../../archive/make.ts'
import { archiveFile, readManifest, type Manifest } from '../../archive/manifest.ts'
import type { ArchiveProgress } from '../../archive/progress.ts'
import { addBackup, listBackups, updateBackup } from '../../backups/catalogue.ts'
import { entryFor } from '../../backups/entry.ts'
import { settleBackups } from '../../backups/settle.ts'
import { chooseStateCopy, leftOutOf, type StateCopy } from '../../backups/state-copies.ts'
import { backupId, isGood, type BackupEntry } from '../../model/backup.ts'
import type { WorkEffect } from '../../model/effects.ts'
import { NetopsError } from '../../model/errors.ts'
import { quoteCommand } from '../../model/quote.ts'
import { defineWork, type WorkTools } from '../work.ts'
import { expectedBytes, explainedWrite, refuseWithoutRoom, RoomWatch } from './room.ts'

const input = z.strictObject({
  root: z.string(),
  catalogue: z.string(),
  /** The folder for archives. */
  folder: z.string(),
  id: backupId,
  /** Relative to the root. */
  roots: z.array(z.string()),
  exclude: z.array(z.string()),
  compression: z.enum(['gzip', 'zstd']),
  release: z.string().nullable(),
})
type ArchiveInput = z.infer<typeof input>

// Behind whoever serves, for the processor; the disk's queue is fair by itself (ioprio_set(2): best effort follows nice).
const niceness = 10

export const archiveWork = defineWork({
  name: 'backup-archive',
  input,
  changes: true,
  show: ({ root, roots, folder, id, compression }) => [
    `${quoteCommand(['tar', '--create', '--directory', root, ...roots])} > ${quoteCommand([join(folder, archiveFile(id, compression))])} (spliced; live databases left out)`,
  ],
  async run(wanted, tools) {
    setPriority(niceness)
    const { catalogue, folder, id } = wanted
    try {
      const { adopted } = await settleBackups(catalogue, folder)
      const { entries } = await listBackups(catalogue)
      // It was made by a process that could not say so.
      const there = entries.find((entry) => entry.id === id)
      const made = there === undefined ? await make(wanted, entries, tools) : { entry: await known(wanted, there) }
      tools.done(id)
      return resultOf(
        made,
        adopted.filter((one) => one !== id),
      )
    } catch (error) {
      throw explainedWrite(error, folder)
    }
  },
})

export const archiving = (wanted: ArchiveInput): WorkEffect => ({ kind: 'work', work: archiveWork.name, input: wanted })

interface Made {
  readonly entry: BackupEntry
  readonly archive?: MadeArchive
}

async function make(wanted: ArchiveInput, entries: readonly BackupEntry[], tools: WorkTools): Promise<Made> {
  const { root, catalogue, folder, id, roots, exclude, compression } = wanted
  const [last, copy] = [await lastOf(entries, wanted), await chooseStateCopy(root)]
  const watch = new RoomWatch(folder)
  const signal = AbortSignal.any([tools.signal, watch.signal])
  try {
    const archive = await makeArchive(
      {
        place: { folder, name: id },
        base: root,
        roots,
        exclude: [...exclude, ...(await leftOutOf(root, copy))],
        compression,
        last: last?.entry.id,
      },
      {
        signal,
        onProgress: (progress) => {
          tell(progress, tools)
          watch.look()
        },
        onSize: (size) => refuseWithoutRoom(folder, expectedBytes(size, last?.entry)),
      },
    )
    const { manifest } = archive
    const isSame = last !== undefined && last.manifest.archive.sha256 === manifest.archive.sha256
    const fresh = await entryFor({ folder, manifest }, besideOf(wanted, copy))
    const sameAs = isSame ? (last.entry.sameAs ?? last.entry.id) : null
    // The same bytes on the disk under another name: to read them back once more would tell nothing new, for a while.
    const verified = isSame && isRecent(last.entry.verified?.at, manifest.begun) ? last.entry.verified : null
    const entry = { ...fresh, sameAs, verified }
    await addBackup(catalogue, entry)
    return { entry, archive }
  } catch (error) {
    throw watch.signal.aborted && !tools.signal.aborted ? watch.signal.reason : error
  }
}

const besideOf = ({ release }: Pick<ArchiveInput, 'release'>, copy: StateCopy | undefined) => ({
  ...{ sameAs: null, release, cluster: null },
  dataSchema: copy?.schema ?? null,
  checkpoint: copy === undefined ? null : { file: copy.file, takenAt: new Date(copy.takenMs).toISOString() },
})

/** What an archive that was only found does not say. */
async function known({ root, catalogue, release }: ArchiveInput, there: BackupEntry): Promise<BackupEntry> {
  const copy = await chooseStateCopy(root)
  if (there.release !== null || copy?.file !== there.checkpoint?.file) return there
  return updateBackup(catalogue, there.id, (old) => ({ ...old, ...besideOf({ release }, copy) }))
}

const dayMs = 86_400_000
// An old fault must not spread: every week all files are read again, whatever the last archive says.
const rebuildMs = 7 * dayMs
const isRecent = (at: string | undefined, now: string): boolean =>
  at !== undefined && Math.abs(Date.parse(now) - Date.parse(at)) < rebuildMs

/** The newest good backup in the same folder that was made in the same way; undefined where all is to be read anew. */
async function lastOf(
  entries: readonly BackupEntry[],
  { folder, compression }: ArchiveInput,
): Promise<{ readonly entry: BackupEntry; readonly manifest: Manifest } | undefined> {
  const entry = entries.find(
    (one) => one.kind === 'config' && one.folder === folder && one.compression === compression && isGood(one),
  )
  if (entry === undefined) return undefined
  try {
    const manifest = await readManifest({ folder, name: entry.id })
    return isRecent(manifest.rebuilt, new Date().toISOString()) ? { entry, manifest } : undefined
  } catch (error) {
    // It is damaged by now, or gone: its verification will say so.
    if (error instanceof NetopsError && error.code === 'damaged') return undefined
    throw error
  }
}

function tell(progress: ArchiveProgress, { progress: report }: WorkTools): void {
  if (progress.phase !== 'looking') report(progress.bytes, progress.of, 'bytes')
}

function resultOf({ entry, archive }: Made, adopted: readonly string[]) {
  const { id, folder, file, bytes, rawBytes, entries, seconds, sameAs, checkpoint, troubles, leftOut } = entry
  return {
    ...{ id, folder, file, bytes, rawBytes, entries, seconds, sameAs, checkpoint, troubles, leftOut },
    ...(archive === undefined ? {} : { slabs: { ...archive.slabs } }),
    ...(archive?.lastRefused === undefined ? {} : { lastRefused: archive.lastRefused }),
    ...(adopted.length === 0 ? {} : { adopted: [...adopted] }),
  }
}
