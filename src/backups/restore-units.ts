// What is renamed to put an archive's content in place: whole folders where that can be, else what they hold, one by one.
import { linesIn } from '../archive/slab.ts'
import * as z from 'zod'
import { indexOf, type LastArchive } from '../archive/last-pieces.ts'
import { entryOf } from '../archive/entries.ts'
import { folderOf, isWithin, nameOfText } from '../archive/names.ts'
import { mountPoints } from '../archive/walk.ts'
import { NetopsError } from '../model/errors.ts'
import { within, type AnchoredFolder } from '../system/anchored-folder.ts'
import { changesOf, Touched, type LeftAlone } from './restore-differences.ts'
import { lastPart, type RestoreGround } from './restore-ground.ts'
import { wantedOf, type RestoreTask } from './restore-task.ts'

export const restoreUnit = z.discriminatedUnion('kind', [
  /** Something takes the place of something. */
  z.strictObject({
    kind: z.literal('swap'),
    name: z.string(),
    /** Whether something lay there, and whether the archive has something for it. */
    had: z.boolean(),
    has: z.boolean(),
  }),
  /** A folder that stays where it is, and gets mode, owner, time and attributes. */
  z.strictObject({ kind: z.literal('attributes'), name: z.string() }),
])
export type RestoreUnit = z.infer<typeof restoreUnit>

/**
 * Finds out what is to be renamed, once all is unpacked and nobody works with the files any more.
 * @throws NetopsError `refused` where something is mounted or lies in the way that cannot be renamed
 */
export async function unitsOf(
  task: RestoreTask,
  archive: LastArchive,
  ground: RestoreGround,
): Promise<readonly RestoreUnit[]> {
  const left: LeftAlone = new Map()
  const [touched, blocked] = [new Touched(), new Touched()]
  for await (const { name } of changesOf(archive, task, left)) touched.add(name)
  for (const name of left.keys()) blocked.add(name)
  // What lies in a place of its own is renamed there.
  for (const place of task.places) blocked.add(place)
  const groups = await linkedNames(archive)
  for (;;) {
    const visitor = new Visitor(task, ground, { touched, blocked, left })
    for (const root of archive.manifest.roots) await visitor.visit(nameOfText(root))
    const { units } = visitor
    const isSwapped = (name: string): boolean => units.some((unit) => unit.kind === 'swap' && isWithin(name, unit.name))
    // Names of one file are swapped together, or they would be names of two.
    const apart = groups.filter((names) => new Set(names.map(isSwapped)).size > 1)
    const others = apart.flat().filter((name) => wantedOf(task.tops, name) === 'whole' && !touched.has(name))
    if (others.length === 0) return units
    for (const name of others) touched.add(name)
  }
}

/** The names of each file of an archive that has several. */
async function linkedNames(archive: LastArchive): Promise<readonly (readonly string[])[]> {
  const groups = new Map<string, string[]>()
  for await (const { text } of indexOf(archive).slabs()) {
    for (const { kind, name, target = '' } of linesIn(text).map(entryOf)) {
      if (kind === 'hardlink') groups.set(target, [...(groups.get(target) ?? [target]), name])
    }
  }
  return [...groups.values()]
}

interface Known {
  readonly touched: Touched
  /** Folders with something below them that stays, and cannot be renamed with them. */
  readonly blocked: Touched
  readonly left: LeftAlone
}

class Visitor {
  readonly units: RestoreUnit[] = []
  readonly #task: RestoreTask
  readonly #ground: RestoreGround
  readonly #known: Known
  readonly #mounts = mountPoints()

  constructor(task: RestoreTask, ground: RestoreGround, known: Known) {
    this.#task = task
    this.#ground = ground
    this.#known = known
  }

  async visit(name: string): Promise<void> {
    const wanted = wantedOf(this.#task.tops, name)
    if (wanted === 'no' || !this.#known.touched.has(name)) return
    const disk = await lookIn(await this.#ground.parent(name), name)
    const staged = await lookIn(await this.#ground.workParent('staged', name, 'open'), name)
    const isMount = this.#mounts.has(this.#ground.absolute(name).toString('latin1'))
    if (this.#known.left.has(name) && !isMount) return
    const isFolder = disk?.isDirectory() === true
    const stays = isMount || this.#known.blocked.has(name) || wanted === 'way'
    if (disk === undefined || !stays) {
      if (disk !== undefined || staged !== undefined) this.#swap(name, disk !== undefined, staged !== undefined)
      return
    }
    if (!isFolder || (staged !== undefined && !staged.isDirectory())) {
      throw new NetopsError('refused', {
        message: `${this.#ground.shown(name)} cannot be replaced: something in it stays, and the archive has no folder by its name`,
        hint: 'move it out of the way, or unpack the archive elsewhere: netops restore --to DIR',
      })
    }
    if (staged !== undefined && wanted === 'whole') this.units.push({ kind: 'attributes', name })
    await this.#below(name)
  }

  async #below(name: string): Promise<void> {
    const disk = await namesIn(await this.#ground.folder(name))
    // What is unpacked of a place lies in the place itself: any name below tells it.
    const staged = await namesIn(await this.#ground.workParent('staged', `${name}/x`, 'open'))
    for (const part of [...new Set([...disk, ...staged])].sort()) await this.visit(`${name}/${part}`)
  }

  #swap(name: string, had: boolean, has: boolean): void {
    this.units.push({ kind: 'swap', name, had, has })
  }
}

const lookIn = async (folder: AnchoredFolder | undefined, name: string) =>
  folder === undefined ? undefined : within(folder, () => folder.look(lastPart(name)))

const namesIn = async (folder: AnchoredFolder | undefined): Promise<readonly string[]> =>
  folder === undefined ? [] : within(folder, () => folder.names())

/** SQLite's file and what it keeps beside it; it is the archive's checkpoint, and no file of the archive, that comes in its place. */
export const databaseEndings = ['', '-wal', '-shm', '-journal'] as const

/** What keeps a service from starting with half of its data (server/checkpoints/restore.ts). */
export const unfinishedMark = 'restore-unfinished.json'

/**
 * The database is put aside as it is, after the mark was put in place; where all of its folder is replaced, with the folder.
 * @param database the file's name in its folder
 */
export async function databaseUnits(
  task: RestoreTask,
  ground: RestoreGround,
  { units, database }: { readonly units: readonly RestoreUnit[]; readonly database: string },
): Promise<readonly RestoreUnit[]> {
  if (task.database === null) return []
  const { folder, reads } = task.database
  if (units.some(({ kind, name }) => kind === 'swap' && (name === folder || name === folderOf(folder)))) return []
  const unit = async (name: string, has: boolean): Promise<RestoreUnit> => ({
    kind: 'swap',
    name: `${folder}/${name}`,
    had: (await lookIn(await ground.folder(folder), name)) !== undefined,
    has,
  })
  const mark = reads === null ? [] : [await unit(unfinishedMark, true)]
  const files = await Promise.all(
    databaseEndings.map((ending) => unit(`${database}${ending}`, reads === null && ending === '')),
  )
  return [...mark, ...files]
}
