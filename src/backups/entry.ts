// From an archive that lies in its place to what the catalogue says of it.
import { join } from 'node:path'
import { indexOf } from '../archive/last-pieces.ts'
import { linesIn } from '../archive/slab.ts'
import { entryOf } from '../archive/entries.ts'
import { manifestHash, readManifest, type Manifest } from '../archive/manifest.ts'
import { parseBackupId, type BackupEntry } from '../model/backup.ts'
import { takenAt } from '../model/checkpoint.ts'
import { NetopsError } from '../model/errors.ts'

/** What the archive itself does not say. */
export type KnownBeside = Pick<BackupEntry, 'sameAs' | 'release' | 'dataSchema' | 'checkpoint' | 'cluster'>

export const nothingBeside: KnownBeside = {
  ...{ sameAs: null, release: null, dataSchema: null, checkpoint: null, cluster: null },
}

/**
 * The catalogue's entry for an archive, not verified yet.
 * @throws NetopsError `damaged` where its manifest is, or its name is no backup's
 */
export async function entryFor(
  { folder, manifest }: { readonly folder: string; readonly manifest: Manifest },
  beside: KnownBeside,
): Promise<BackupEntry> {
  const { name, archive, compression, begun, ended, totals, troubles, leftOut, unlisted } = manifest
  const kind = parseBackupId(name)?.kind
  if (kind === undefined) throw new NetopsError('damaged', { message: `${join(folder, archive.file)} is no backup` })
  const counted = { unreadable: 0, vanished: 0, changed: 0, missing: 0 }
  for (const { what } of troubles) counted[what] += 1
  // What was not listed is at least not all right.
  counted.unreadable += unlisted.troubles
  return {
    ...{ schema: 'netops/backup/v1', id: name, kind, folder, file: archive.file, compression, madeAt: begun },
    seconds: Math.max(0, Date.parse(ended) - Date.parse(begun)) / 1000,
    ...{ bytes: archive.bytes, rawBytes: totals.raw, entries: totals.entries },
    manifestSha256: await manifestHash({ folder, name }),
    ...beside,
    cluster: beside.cluster ?? clusterIn(manifest),
    ...{ troubles: counted, leftOut: leftOut.length + unlisted.leftOut, verified: null, damage: null, copies: [] },
  }
}

function clusterIn({ cluster }: Manifest): BackupEntry['cluster'] {
  if (cluster === undefined) return null
  const { version, systemId, timeline, from, to } = cluster
  return { version, systemId, timeline, from, to }
}

/**
 * The newest checkpoint that an archive holds, by its index.
 * @throws NetopsError `damaged` where the index is
 */
export async function checkpointIn(folder: string, id: string): Promise<BackupEntry['checkpoint']> {
  const place = { folder, name: id }
  let newest: { readonly file: string; readonly at: number } | undefined
  for await (const { text } of indexOf({ place, manifest: await readManifest(place) }).slabs()) {
    for (const line of linesIn(text)) {
      const { name } = entryOf(line)
      const file = name.slice(name.lastIndexOf('/') + 1)
      const at = takenAt(file)
      if (at !== undefined && at > (newest?.at ?? 0)) newest = { file, at }
    }
  }
  return newest === undefined ? null : { file: newest.file, takenAt: new Date(newest.at).toISOString() }
}
