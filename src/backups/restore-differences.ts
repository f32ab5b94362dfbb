// What a restore would change on the disk: an archive beside the disk, as far as something is wanted of it.
import { differences, type Difference } from '../archive/diff.ts'
import type { LastArchive } from '../archive/last-pieces.ts'
import { isWithin, nameOfText } from '../archive/names.ts'
import type { LeftOut, WalkNotes } from '../archive/walk.ts'
import { wantedOf, workPattern, type RestoreTask } from './restore-task.ts'

export type Scope = Pick<RestoreTask, 'base' | 'tops' | 'places' | 'leave'>

/** What lies on the disk and is left as it is, by name. */
export type LeftAlone = Map<string, LeftOut['why'] | 'unreadable'>

/**
 * Compares in the order of names, the deeper places after the others.
 * @param left gets what was not looked at, and stays
 * @throws NetopsError `damaged` where the index is
 */
export async function* changesOf(
  archive: LastArchive,
  scope: Scope,
  left: LeftAlone,
): AsyncGenerator<Difference, void, undefined> {
  const roots = archive.manifest.roots.map(nameOfText)
  const mounts = scope.places.filter((place) => roots.some((root) => place !== root && isWithin(place, root)))
  for (const within of [undefined, ...mounts]) {
    const request = {
      base: scope.base,
      roots: within === undefined ? archive.manifest.roots : [Buffer.from(within, 'latin1').toString('utf8')],
      exclude: [...scope.leave, workPattern],
    }
    // What lies in a deeper place is compared there.
    const isHere = (name: string): boolean =>
      (within === undefined || isBelow(name, within)) &&
      !mounts.some((mount) => (within === undefined || isBelow(mount, within)) && isBelow(name, mount))
    for await (const found of differences(archive, request, notesTo(left), 'unsure too')) {
      if (isHere(found.name) && wantedOf(scope.tops, found.name) !== 'no') yield found
    }
  }
}

const isBelow = (name: string, folder: string): boolean => name !== folder && isWithin(name, folder)

/** Notes of a walk. That something is gone is what the comparison tells. */
const notesTo = (left: LeftAlone): WalkNotes => ({
  leave: ({ name, why }) => left.set(name, why),
  trouble: ({ name, what }) => {
    if (what === 'unreadable') left.set(name, 'unreadable')
  },
})

/** Whether nothing but a folder's time is another, which changes with what the folder holds. */
export const isTimeAlone = (found: Difference): boolean =>
  found.kind === 'changed' && found.now.kind === 'folder' && found.what.every((one) => one === 'time')

/** All that is another, with all folders above. */
export class Touched {
  readonly #names = new Set<string>()

  add(name: string): void {
    for (let at = name; at !== '' && !this.#names.has(at); at = at.slice(0, Math.max(0, at.lastIndexOf('/')))) {
      this.#names.add(at)
    }
  }

  /** Whether it, or anything below it, is another. */
  has(name: string): boolean {
    return this.#names.has(name)
  }
}
