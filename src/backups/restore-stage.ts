// Unpacks what is to be restored beside its places, on their file systems, after all of the archive was verified.
import { promises as fs } from 'node:fs'
import { join } from 'node:path'
import { extractArchive } from '../archive/extract.ts'
import { manifestHash, readManifest, type Manifest } from '../archive/manifest.ts'
import { nameOfText, shownName } from '../archive/names.ts'
import type { OnProgress } from '../archive/progress.ts'
import type { ThreadPool } from '../archive/threads/pool.ts'
import { verifyArchive } from '../archive/verify.ts'
import { NetopsError } from '../model/errors.ts'
import { leastFreeDisk } from '../model/free-disk.ts'
import { formatBytes } from '../model/units.ts'
import { within, type AnchoredFolder } from '../system/anchored-folder.ts'
import { readSqliteSchema } from '../system/sqlite-header.ts'
import { execText } from '../system/exec.ts'
import { lastPart, RestoreGround } from './restore-ground.ts'
import { clearUp } from './restore-swap.ts'
import { placeOf, topsIn, type RestoreTask } from './restore-task.ts'
import { unfinishedMark } from './restore-units.ts'

export interface StageTools {
  readonly signal: AbortSignal
  readonly onProgress?: OnProgress | undefined
  /** The database's name in the folder of the service's data. */
  readonly database: string
  /** Threads to work with; without them it starts its own. */
  readonly pool?: ThreadPool | undefined
}

/**
 * Verifies the archive as a whole, and unpacks what is wanted of it into the restore's own folders. What another process has
 * begun there is removed first.
 * @throws NetopsError `damaged` where the archive is; `refused` where it must not be unpacked, another one lies in its place, or
 * its state is of a data schema that the installed release does not read; `failed` where there is no room. Nothing that is in
 * use was touched then.
 */
export async function stageRestore(
  task: RestoreTask,
  { signal, onProgress, database, pool }: StageTools,
): Promise<Manifest> {
  const place = { folder: task.archive.folder, name: task.archive.name }
  const manifest = await readManifest(place)
  if ((await manifestHash(place)) !== task.archive.manifestSha256) {
    throw new NetopsError('refused', {
      message: `${place.name} in ${place.folder} is another archive than the one that was chosen; nothing was touched`,
    })
  }
  await refuseDamage(place, { signal, onProgress, pool })
  const roots = manifest.roots.map(nameOfText)
  const ground = new RestoreGround(task, roots)
  await ground.refuseDistrusted()
  await clearUp(task, roots, 'undone')
  for (const folder of task.places) {
    const only = topsIn(task, folder).map((top) => Buffer.from(top, 'latin1').toString('utf8'))
    if (only.length === 0) continue
    const work = await ground.work(folder, 'make')
    if (work === undefined) throw new TypeError('a folder that was made is there')
    await within(work, async () => {
      await extractArchive({ place, into: join(work.path, 'staged'), only, isHeld: true }, { signal, onProgress, pool })
      // syncfs(2): before anything of it takes the place of something else.
      await execText(['sync', '--file-system', work.path])
    })
  }
  if (task.database !== null)
    await prepareDatabase(ground, task.database, { place: placeOf(task.places, task.database.checkpoint), database })
  return manifest
}

/** @throws NetopsError `damaged` with the first of what is wrong */
export async function refuseDamage(
  place: { readonly folder: string; readonly name: string },
  tools: Pick<StageTools, 'onProgress' | 'pool'> & { readonly signal?: AbortSignal | undefined },
): Promise<void> {
  const { damages } = await verifyArchive(place, tools)
  const [first] = damages
  if (first === undefined) return
  throw new NetopsError('damaged', {
    message: `${place.name} is damaged and nothing was touched: ${first}${damages.length > 1 ? `, and ${damages.length - 1} more` : ''}`,
    hint: 'choose another one: netops backup list',
  })
}

interface DatabasePlace {
  readonly place: string
  readonly database: string
}

/** Judges the checkpoint that becomes the database, and has beside it what must be there before the database is put aside. */
async function prepareDatabase(
  ground: RestoreGround,
  { folder, checkpoint, bytes, reads }: NonNullable<RestoreTask['database']>,
  { database }: DatabasePlace,
): Promise<void> {
  const checkpoints = await ground.workParent('staged', checkpoint, 'open')
  if (checkpoints === undefined)
    throw new NetopsError('damaged', { message: `the archive has no ${shownName(checkpoint)}` })
  await within(checkpoints, async () => {
    const file = join(checkpoints.path, lastPart(checkpoint))
    const schema = await readSqliteSchema(file)
    if (reads !== null && (schema === undefined || schema < reads.from || schema > reads.to)) {
      throw unreadable(schema, reads)
    }
    const data = await ground.workParent('staged', `${folder}/x`, 'open')
    if (data === undefined) throw new NetopsError('damaged', { message: `the archive has no ${shownName(folder)}` })
    await within(data, async () => {
      await requireRoom(data, bytes)
      if (reads === null)
        await execText(['cp', '--preserve=mode,ownership,timestamps', '--', file, join(data.path, database)])
      else await writeMark(data)
    })
  })
}

/** Why a state cannot be restored here. */
export const unreadable = (
  schema: number | undefined,
  reads: { readonly from: number; readonly to: number },
): NetopsError =>
  new NetopsError('refused', {
    message: `the state in the backup has ${schema === undefined ? 'no data schema' : `data schema ${schema}`}, and the installed release reads ${reads.from} to ${reads.to}; nothing was touched`,
    hint: 'deploy a release that reads it first; or restore the configuration alone: --only config',
  })

async function requireRoom(folder: AnchoredFolder, bytes: number): Promise<void> {
  const { bavail, bsize } = await fs.statfs(folder.path)
  if (bavail * bsize >= bytes + leastFreeDisk) return
  throw new NetopsError('failed', {
    message: `${formatBytes(bavail * bsize)} are free where the state lies, and ${formatBytes(bytes + leastFreeDisk)} are needed to make the database of the checkpoint; nothing was touched`,
    hint: 'make room, then restore again',
  })
}

/** The service's own mark, so that none starts while its database is put aside (server/checkpoints/restore.ts). */
async function writeMark(data: AnchoredFolder): Promise<void> {
  const { uid, gid } = await data.facts()
  const handle = await fs.open(data.at(unfinishedMark), 'w', 0o640)
  try {
    await handle.writeFile(`${JSON.stringify({ schema: 1 })}\n`)
    await handle.chown(Number(uid), Number(gid))
    await handle.sync()
  } finally {
    await handle.close()
  }
}
