// The lists that a restore shows before it does anything: what it replaces, adds and removes, and what of it was written since.
import { isWithin, shownName } from '../archive/names.ts'
import * as z from 'zod'
import type { LastArchive } from '../archive/last-pieces.ts'
import type { Difference } from '../archive/diff.ts'
import { takenAt } from '../model/checkpoint.ts'
import { changesOf, isTimeAlone, type LeftAlone, type Scope } from './restore-differences.ts'
import { dataFolder } from './live-files.ts'

const count = z.int().nonnegative()
export const listed = z.strictObject({
  count,
  /** Of files. */
  bytes: count,
  /** The first of them, for people. */
  paths: z.array(z.string()),
})
export type Listed = z.infer<typeof listed>

const mostShown = 100

class List {
  #count = 0
  #bytes = 0
  readonly #paths: string[] = []

  add(name: string, bytes: number): void {
    this.#count += 1
    this.#bytes += bytes
    if (this.#paths.length < mostShown) this.#paths.push(`/${shownName(name)}`)
  }

  get listed(): Listed {
    return { count: this.#count, bytes: this.#bytes, paths: this.#paths }
  }
}

export interface Compared {
  readonly replaced: Listed
  readonly added: Listed
  readonly removed: Listed
  readonly leftAlone: Listed
  /** What was written to since the backup, and is replaced or removed. */
  readonly lost: Listed
  /** When checkpoints that are removed or replaced were taken, in ms since 1970. */
  readonly newer: readonly number[]
  /** How much is the same but perhaps for extended attributes and access control lists. */
  readonly unsure: number
}

/** Compares an archive with the disk. What only the disk has is removed, what only the archive has is added. */
export async function compare(archive: LastArchive, scope: Scope): Promise<Compared> {
  const [replaced, added, removed, leftAlone, lost] = [new List(), new List(), new List(), new List(), new List()]
  const left: LeftAlone = new Map()
  const newer: number[] = []
  let unsure = 0
  const since = BigInt(Date.parse(archive.manifest.begun)) * 1_000_000n
  const note = (found: Exclude<Difference, { kind: 'removed' }>): void => {
    const { name, now } = found
    // A folder's times change with what it holds.
    if (now.kind !== 'folder' && [now.mtime, now.ctime].some((time) => BigInt(time) > since)) lost.add(name, now.size)
    const takenMs = isWithin(name, `${dataFolder}/checkpoints`)
      ? takenAt(name.slice(name.lastIndexOf('/') + 1))
      : undefined
    if (takenMs !== undefined) newer.push(takenMs)
  }
  for await (const found of changesOf(archive, scope, left)) {
    if (isTimeAlone(found)) continue
    switch (found.kind) {
      case 'added':
        removed.add(found.name, found.now.size)
        note(found)
        break
      case 'removed':
        if (!left.has(found.name)) added.add(found.name, found.then.size)
        break
      case 'changed':
        if (found.what.includes('attributes')) unsure += 1
        else {
          replaced.add(found.name, found.then.size)
          note(found)
        }
        break
    }
  }
  for (const name of left.keys()) leftAlone.add(name, 0)
  return {
    replaced: replaced.listed,
    added: added.listed,
    removed: removed.listed,
    leftAlone: leftAlone.listed,
    lost: lost.listed,
    newer,
    unsure,
  }
}
