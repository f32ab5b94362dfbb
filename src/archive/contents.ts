// What an archive may hold so that it can be unpacked without harm. Nothing is written before all of it was judged. Pure.
import { NetopsError } from '../model/errors.ts'
import type { Entry } from './entries.ts'
import { compareNames, folderOf, isWithin, shownName } from './names.ts'
import { isPlainName, rootNames } from './walk.ts'

/**
 * Judges the entries of an archive in their order. Each lies in one of the roots, in a folder of the archive, once; no entry lies
 * below a link; a hard link leads to a file that came before it. Symbolic links may lead anywhere: nothing is written through one.
 */
export class ContentsJudge {
  readonly #roots: readonly string[]
  /** The folders on the way to the last entry. */
  #folders: string[] = []
  #last: string | undefined
  /** Files to which a hard link could lead, by a hash of their name: names of all files would not be held. */
  readonly #linkable: ReadonlySet<string>
  readonly #files = new Set<string>()

  /** @param linkable the names to which the archive's hard links lead */
  constructor(roots: readonly string[], linkable: ReadonlySet<string>) {
    this.#roots = rootNames(roots)
    this.#linkable = linkable
  }

  /** @throws NetopsError `refused` with the entry and why */
  judge(entry: Entry): void {
    const { name, kind, target } = entry
    if (!isPlainName(name)) throw refused(name, 'its name leads elsewhere')
    if (this.#last !== undefined && compareNames(this.#last, name) >= 0) {
      throw refused(name, 'it is there twice, or not in its order')
    }
    const root = this.#roots.find((top) => isWithin(name, top))
    if (root === undefined) throw refused(name, 'it lies outside of what was archived')
    const folder = folderOf(name)
    while (this.#folders.length > 0 && !isWithin(folder, this.#folders.at(-1) ?? '')) this.#folders.pop()
    if (name !== root && this.#folders.at(-1) !== folder)
      throw refused(name, 'it lies in something that is no folder there')
    if (kind === 'folder') this.#folders.push(name)
    if (kind === 'hardlink' && (target === undefined || !this.#files.has(target))) {
      throw refused(name, `it leads to ${shownName(target ?? '')}, which is no file before it`)
    }
    if (kind === 'file' && this.#linkable.has(name)) this.#files.add(name)
    this.#last = name
  }
}

const refused = (name: string, why: string): NetopsError =>
  new NetopsError('refused', { message: `the archive is not unpacked: ${shownName(name)}: ${why}` })
