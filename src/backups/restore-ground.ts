// The folders that a restore works in, opened one below the other: from one that nobody else may change, on a way on which
// no link is followed. And its own folder in each of its places, for root alone.
import { AnchoredFolder, within } from '../system/anchored-folder.ts'
import { refuseDistrustedHere } from '../system/folder-trust.ts'
import { bytesOf, folderOf, isWithin, nameOfText, shownName } from '../archive/names.ts'
import { NetopsError } from '../model/errors.ts'
import { placeOf, workName } from './restore-task.ts'

/** The parts of a restore's own folder: unpacked; put aside; attributes of folders, as they were and as they are to be. */
export type WorkPart = 'staged' | 'kept' | 'aside' | 'was' | 'wanted'

export class RestoreGround {
  readonly #base: string
  readonly #roots: readonly string[]
  readonly #places: readonly string[]
  readonly #run: string

  /** @param roots what the archive was made of: names */
  constructor(
    task: { readonly base: string; readonly places: readonly string[]; readonly run: string },
    roots: readonly string[],
  ) {
    this.#base = nameOfText(task.base === '/' ? '' : task.base)
    this.#roots = roots
    this.#places = task.places
    this.#run = task.run
  }

  /** @throws NetopsError `refused` where somebody else has a say in a folder that the way begins at */
  async refuseDistrusted(): Promise<void> {
    const starts = [...new Set(this.#roots.map((root) => this.absolute(folderOf(root)).toString()))]
    await refuseDistrustedHere(starts)
  }

  /** An absolute path. */
  absolute(name: string): Buffer {
    return bytesOf(name === '' ? this.#base || '/' : `${this.#base}/${name}`)
  }

  /** For people. */
  shown(name: string): string {
    return shownName(`${this.#base}/${name}`)
  }

  /**
   * Opens a folder; undefined where there is none.
   * @throws NetopsError `refused` where something else lies on the way
   */
  async folder(name: string): Promise<AnchoredFolder | undefined> {
    const root = this.#roots.find((one) => isWithin(name, one))
    const start = root === undefined ? name : folderOf(root)
    if (root === undefined && !this.#roots.some((one) => folderOf(one) === name)) {
      throw new TypeError(`${name} is no folder of this restore`)
    }
    const first = await AnchoredFolder.open(this.absolute(start))
    return root === undefined ? first : descend(first, partsBelow(name, start))
  }

  /** Opens the folder in which a name lies. */
  parent(name: string): Promise<AnchoredFolder | undefined> {
    return this.folder(folderOf(name))
  }

  /**
   * Opens the restore's own folder in a place, or makes it.
   * @throws NetopsError `refused` where it is not this account's alone
   */
  async work(place: string, how: 'make' | 'open'): Promise<AnchoredFolder | undefined> {
    const folder = await this.folder(place)
    if (folder === undefined) {
      if (how === 'open') return undefined
      throw new NetopsError('failed', { message: `there is no ${this.shown(place)}` })
    }
    try {
      const name = workName(this.#run)
      const work = how === 'make' ? await folder.madeFolder(name, 0o700) : await folder.folder(name)
      if (work === undefined) return undefined
      const { uid, mode } = await work.facts()
      if (Number(uid) === process.getuid?.() && (mode & 0o077n) === 0n) return work
      await work.close()
      throw new NetopsError('refused', {
        message: `${await folder.shown(name)} is somebody else's: nothing was touched`,
      })
    } finally {
      await folder.close()
    }
  }

  /** Opens the folder in which a name lies in a part of the restore's own folder. @param how whether it is made */
  async workParent(part: WorkPart, name: string, how: 'make' | 'open'): Promise<AnchoredFolder | undefined> {
    const work = await this.work(placeOf(this.#places, name), 'open')
    if (work === undefined) return undefined
    return descend(
      work,
      [
        part,
        ...folderOf(name)
          .split('/')
          .filter((one) => one !== ''),
      ],
      how,
    )
  }
}

const partsBelow = (name: string, above: string): readonly string[] =>
  name === above ? [] : name.slice(above === '' ? 0 : above.length + 1).split('/')

/** Goes down from a folder, which is closed. */
async function descend(
  from: AnchoredFolder,
  parts: readonly string[],
  how: 'make' | 'open' = 'open',
): Promise<AnchoredFolder | undefined> {
  let at: AnchoredFolder = from
  for (const part of parts) {
    const above = at
    const next = await within(above, () => (how === 'make' ? above.madeFolder(part, 0o700) : above.folder(part)))
    if (next === undefined) return undefined
    at = next
  }
  return at
}

/** The last part of a name. */
export const lastPart = (name: string): string => name.slice(name.lastIndexOf('/') + 1)
