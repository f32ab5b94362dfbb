// Puts what was unpacked in place by rename(2), and back. What there is to rename is on the disk before anything is; how far it
// is, what lies where tells: so whoever was killed goes on, forward or back.
import { dirname, join } from 'node:path'
import { promises as fs } from 'node:fs'
import * as z from 'zod'
import type { LastArchive } from '../archive/last-pieces.ts'
import { nameOfText } from '../archive/names.ts'
import { messageOf, NetopsError } from '../model/errors.ts'
import { hostPaths, runsCommand } from '../model/paths.ts'
import { parseJson } from '../model/json.ts'
import { within, type AnchoredFolder } from '../system/anchored-folder.ts'
import { makeFolder, readTextIfAny, removeTree, syncFolder, writeFileAtomic } from '../system/files.ts'
import { copyAttributes } from './restore-attributes.ts'
import { lastPart, RestoreGround, type WorkPart } from './restore-ground.ts'
import { workName, type RestoreTask } from './restore-task.ts'
import { databaseUnits, restoreUnit, unitsOf, type RestoreUnit } from './restore-units.ts'

const swapFile = z.strictObject({
  schema: z.literal(1),
  /** What the archive was made of: the way to each name begins above it. */
  roots: z.array(z.string()),
  units: z.array(restoreUnit),
})
type SwapFile = z.infer<typeof swapFile>

/** Where it is written down: in the run's own folder, where nobody else may write. */
const swapPath = ({ base, run }: RestoreTask): string => join(hostPaths(base).runs, run, 'restore-swap.json')

async function readSwap(task: RestoreTask): Promise<SwapFile | undefined> {
  const path = swapPath(task)
  const text = await readTextIfAny(path)
  if (text === undefined) return undefined
  const found = swapFile.safeParse(parseJson(text))
  if (found.success) return found.data
  throw new NetopsError('damaged', {
    message: `${path} is damaged: what was put aside lies in the folders ${workName(task.run)} beside what was restored`,
    hint: `put it back by hand: ${task.places.map((place) => `${task.base === '/' ? '' : task.base}/${place}/${workName(task.run)}/kept`).join(', ')}`,
  })
}

export interface Swapped {
  /** How much was put in place, put aside, and given other attributes. */
  readonly placed: number
  readonly aside: number
  readonly attributes: number
}

export interface SwapTools {
  /** The name of the service's database in its folder. */
  readonly database: string
  /** Hears of each name that was put in place or back. */
  readonly onMoved?: ((name: string) => void) | undefined
}

/**
 * Puts what was unpacked in place, and what lay there aside. Goes on where another process has begun.
 * @throws NetopsError `refused` or `failed`; what was done till then is for {@link putBack}
 */
export async function swapIn(
  task: RestoreTask,
  archive: LastArchive,
  { database, onMoved }: SwapTools,
): Promise<Swapped> {
  const begun = await readSwap(task)
  const swap = begun ?? (await begin(task, archive, database))
  const ground = new RestoreGround(task, swap.roots)
  await ground.refuseDistrusted()
  for (const unit of swap.units) {
    if (unit.kind !== 'swap') continue
    await forward(ground, unit)
    onMoved?.(unit.name)
  }
  await giveAttributes(ground, swap, 'wanted')
  await settle(ground, swap)
  const swaps = swap.units.filter((unit) => unit.kind === 'swap')
  return {
    placed: swaps.filter(({ has }) => has).length,
    aside: swaps.filter(({ had }) => had).length,
    attributes: swap.units.length - swaps.length,
  }
}

async function begin(task: RestoreTask, archive: LastArchive, database: string): Promise<SwapFile> {
  const roots = archive.manifest.roots.map(nameOfText)
  const ground = new RestoreGround(task, roots)
  await ground.refuseDistrusted()
  const units = await unitsOf(task, archive, ground)
  const ofDatabase = await databaseUnits(task, ground, { units, database })
  const swap: SwapFile = { schema: 1, roots, units: [...ofDatabase, ...units] }
  await keepAttributes(ground, swap)
  const path = swapPath(task)
  await makeFolder(dirname(path), 0o700)
  await writeFileAtomic(path, JSON.stringify(swap), 0o600)
  return swap
}

/**
 * Puts back what {@link swapIn} has put aside, as far as it came; fine where it never began.
 * @throws NetopsError where something cannot be put back; what was put aside stays there then
 */
export async function putBack(task: RestoreTask, { onMoved }: Pick<SwapTools, 'onMoved'> = {}): Promise<number> {
  const swap = await readSwap(task)
  if (swap === undefined) return 0
  const ground = new RestoreGround(task, swap.roots)
  await ground.refuseDistrusted()
  for (const unit of swap.units.toReversed()) {
    if (unit.kind !== 'swap') continue
    await back(ground, unit)
    onMoved?.(unit.name)
  }
  await giveAttributes(ground, swap, 'was')
  await settle(ground, swap)
  await forget(task)
  return swap.units.length
}

/**
 * Removes the restore's own folders.
 * @param how `done`: with what was put aside, which is not wanted any more; what cannot be removed then is only told
 * @returns why something is left
 * @throws NetopsError `refused` where something was put aside that was not put back
 */
export async function clearUp(
  task: RestoreTask,
  roots: readonly string[],
  how: 'done' | 'undone',
): Promise<readonly string[]> {
  if (how === 'done') await forget(task)
  else if ((await readSwap(task)) !== undefined) {
    throw new NetopsError('refused', {
      message: `what was put aside was not put back, and stays in the folders ${workName(task.run)}`,
      hint: runsCommand('undo', task.run, task.base),
    })
  }
  const ground = new RestoreGround(task, roots)
  const left: string[] = []
  for (const place of task.places) {
    const folder = await ground.folder(place).catch(ifMissing)
    if (folder === undefined) continue
    await within(folder, async () => {
      try {
        await removeTree(join(folder.path, workName(task.run)))
        await folder.sync()
      } catch (error) {
        if (how === 'undone') throw error
        left.push(`${await folder.shown(workName(task.run))}: ${messageOf(error)}`)
      }
    })
  }
  return left
}

const ifMissing = (error: unknown): undefined => {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
  throw error
}

async function forget(task: RestoreTask): Promise<void> {
  const path = swapPath(task)
  await fs.rm(path, { force: true })
  await syncFolder(dirname(path)).catch(ifMissing)
}

type Swap = Extract<RestoreUnit, { kind: 'swap' }>

async function forward(ground: RestoreGround, { name, had, has }: Swap): Promise<void> {
  if (had && !(await isIn(ground, 'kept', name))) await toWork(ground, name, 'kept')
  if (!has || !(await isIn(ground, 'staged', name))) return
  if ((await lookAt(ground, name)) !== undefined) {
    throw new NetopsError('failed', { message: `something was put to ${ground.shown(name)} while it was restored` })
  }
  await fromWork(ground, 'staged', name)
}

async function back(ground: RestoreGround, { name, had, has }: Swap): Promise<void> {
  const isKept = await isIn(ground, 'kept', name)
  // It was never put aside, or lies there again.
  if (had && !isKept) return
  const isPlaced = has && !(await isIn(ground, 'staged', name))
  if ((await lookAt(ground, name)) !== undefined) await toWork(ground, name, isPlaced ? 'staged' : 'aside')
  if (isKept) await fromWork(ground, 'kept', name)
}

/** What lies in a folder of the restore's own, if anything does. */
async function isIn(ground: RestoreGround, part: WorkPart, name: string): Promise<boolean> {
  const folder = await ground.workParent(part, name, 'open')
  if (folder === undefined) return false
  return within(folder, async () => (await folder.look(lastPart(name))) !== undefined)
}

async function lookAt(ground: RestoreGround, name: string) {
  const folder = await ground.parent(name)
  return folder === undefined ? undefined : within(folder, () => folder.look(lastPart(name)))
}

async function toWork(ground: RestoreGround, name: string, part: WorkPart): Promise<void> {
  const from = await ground.parent(name)
  // Gone since it was looked at: then there is nothing to put aside.
  if (from === undefined) return
  await within(from, async () => {
    if ((await from.look(lastPart(name))) === undefined) return
    const to = required(await ground.workParent(part, name, 'make'), name)
    await within(to, () => from.move(lastPart(name), to, lastPart(name)))
  })
}

async function fromWork(ground: RestoreGround, part: WorkPart, name: string): Promise<void> {
  const from = required(await ground.workParent(part, name, 'open'), name)
  await within(from, async () => {
    const to = required(await ground.parent(name), name)
    await within(to, () => from.move(lastPart(name), to, lastPart(name)))
  })
}

function required(folder: AnchoredFolder | undefined, name: string): AnchoredFolder {
  if (folder !== undefined) return folder
  throw new NetopsError('failed', { message: `the folder of ${name} is gone` })
}

/** Keeps the attributes of folders that stay, as they are and as they are to be: what is renamed in them changes their times. */
async function keepAttributes(ground: RestoreGround, { units }: SwapFile): Promise<void> {
  for (const { kind, name } of units) {
    if (kind !== 'attributes') continue
    const staged = required(await ground.workParent('staged', name, 'open'), name)
    await within(staged, async () => {
      const source = required(await staged.folder(lastPart(name)), name)
      await within(source, () => toShadow(ground, source, 'wanted', name))
    })
    const live = required(await ground.folder(name), name)
    await within(live, () => toShadow(ground, live, 'was', name))
  }
}

async function toShadow(
  ground: RestoreGround,
  source: AnchoredFolder,
  part: 'was' | 'wanted',
  name: string,
): Promise<void> {
  const shadows = required(await ground.workParent(part, name, 'make'), name)
  await within(shadows, async () => {
    const shadow = await shadows.madeFolder(`${lastPart(name)}${shadowMark}`, 0o700)
    await within(shadow, () => copyAttributes(source, shadow))
  })
}

// A shadow lies beside the folder in which the shadows of what lies below it do, so that its time stays what it is.
const shadowMark = ' attributes'

async function giveAttributes(ground: RestoreGround, { units }: SwapFile, part: 'was' | 'wanted'): Promise<void> {
  for (const { kind, name } of units) {
    if (kind !== 'attributes') continue
    const shadows = required(await ground.workParent(part, name, 'open'), name)
    await within(shadows, async () => {
      const shadow = required(await shadows.folder(`${lastPart(name)}${shadowMark}`), name)
      const live = required(await ground.folder(name), name)
      await within(shadow, () => within(live, () => copyAttributes(shadow, live)))
    })
  }
}

/** All that was renamed is on the disk. */
async function settle(ground: RestoreGround, { units }: SwapFile): Promise<void> {
  const folders = new Set(units.map(({ name }) => name.slice(0, Math.max(0, name.lastIndexOf('/')))))
  for (const name of folders) {
    const folder = await ground.folder(name).catch(ifMissing)
    if (folder !== undefined) await within(folder, () => folder.sync())
  }
}
