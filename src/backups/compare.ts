// A backup beside the disk: what restoring it would change.
import { readManifest } from '../archive/manifest.ts'
import { differences } from '../archive/diff.ts'
import { shownName } from '../archive/names.ts'
import type { BackupEntry } from '../model/backup.ts'

/** One difference. `added` is on the disk alone, `removed` in the backup alone. */
export interface BackupDifference {
  readonly kind: 'added' | 'removed' | 'changed'
  /** As people read it, relative to the root. */
  readonly name: string
  /** What of it is different: `content`, `mode`, `owner`, `time`, `type`, `target`. */
  readonly what: readonly string[]
}

export interface Comparison {
  readonly id: string
  readonly counts: { readonly added: number; readonly removed: number; readonly changed: number }
  /** The first of them, in the order of names. */
  readonly differences: readonly BackupDifference[]
  /** How many more there are. */
  readonly unlisted: number
  /** What could not be looked at, for people. */
  readonly troubles: readonly string[]
}

const mostListed = 1000

/**
 * Compares a backup with what is below a root now.
 * @throws NetopsError `damaged` where the archive's index or manifest is
 */
export async function compareBackup({ folder, id }: BackupEntry, root: string): Promise<Comparison> {
  const place = { folder, name: id }
  const manifest = await readManifest(place)
  const { roots, exclude } = manifest
  const counts = { added: 0, removed: 0, changed: 0 }
  const listed: BackupDifference[] = []
  const troubles: string[] = []
  const notes = {
    leave: () => undefined,
    trouble: ({ name, what, reason }: { name: string; what: string; reason: string }): void => {
      if (troubles.length < mostListed) troubles.push(`${shownName(name)}: ${what} (${reason})`)
    },
  }
  for await (const one of differences({ place, manifest }, { base: root, roots, exclude }, notes)) {
    counts[one.kind] += 1
    if (listed.length >= mostListed) continue
    listed.push({ kind: one.kind, name: shownName(one.name), what: one.kind === 'changed' ? one.what : [] })
  }
  const total = counts.added + counts.removed + counts.changed
  return { id, counts, differences: listed, unlisted: total - listed.length, troubles }
}
