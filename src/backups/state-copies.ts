// What of the service's data an archive holds: the newest checkpoint stands for the live database, which is never read.
import { join } from 'node:path'
import { checkpointHashEnding, takenAt } from '../model/checkpoint.ts'
import { hostPaths } from '../model/paths.ts'
import { systemCode } from '../model/errors.ts'
import { listIfAny, readTextIfAny } from '../system/files.ts'
import { readSqliteSchema } from '../system/sqlite-header.ts'
import { liveFiles } from './live-files.ts'

/** A copy of the state that is to be in a backup. */
export interface StateCopy {
  /** Its name in the folder of checkpoints. */
  readonly file: string
  /** As of when it is the state, in ms since 1970. */
  readonly takenMs: number
  /** Its data schema; undefined where it says none. */
  readonly schema: number | undefined
}

/** The folder of checkpoints in the service's data folder. */
export const checkpointFolder = (root: string): string => join(hostPaths(root).dataDir, 'checkpoints')

/** When checkpoints among file names were taken, the newest first. */
export const checkpointsIn = (
  names: readonly string[],
): readonly { readonly file: string; readonly takenMs: number }[] =>
  names
    .flatMap((file) => {
      const takenMs = takenAt(file)
      return takenMs === undefined ? [] : [{ file, takenMs }]
    })
    .toSorted((a, b) => b.takenMs - a.takenMs)

/**
 * The copy that belongs into a backup made now: of the newest checkpoint and those before it with the same content, the oldest,
 * which the backup before may hold already.
 * @returns undefined where there is none
 */
export async function chooseStateCopy(root: string): Promise<StateCopy | undefined> {
  const folder = checkpointFolder(root)
  const [newest, ...before] = checkpointsIn(await listIfAny(folder))
  if (newest === undefined) return undefined
  const hash = await hashOf(join(folder, newest.file))
  let { file } = newest
  if (hash !== undefined) {
    for (const one of before) {
      if ((await hashOf(join(folder, one.file))) !== hash) break
      file = one.file
    }
  }
  return { file, takenMs: newest.takenMs, schema: await schemaOf(join(folder, file)) }
}

// 64 digits, two spaces, and a name.
const mostOfHash = 4096

const hashOf = async (checkpoint: string): Promise<string | undefined> =>
  /^([0-9a-f]{64}) /.exec((await readTextIfAny(`${checkpoint}${checkpointHashEnding}`, mostOfHash)) ?? '')?.[1]

/** The data schema of a checkpoint; undefined where it has none, or is no checkpoint. */
async function schemaOf(checkpoint: string): Promise<number | undefined> {
  try {
    return await readSqliteSchema(checkpoint)
  } catch (error) {
    if (systemCode(error) === undefined) throw error
    // What cannot be read is named by the archive itself.
    return undefined
  }
}

/** A path below the root as archives have it. */
const nameBelow = (root: string, path: string): string => path.slice(root === '/' ? 1 : root.length + 1)

/**
 * What is left out of every archive: live database files, and all checkpoints but the one that stands for them.
 * @returns names and patterns as archives take them (archive/walk.ts)
 */
export async function leftOutOf(root: string, copy: StateCopy | undefined): Promise<readonly string[]> {
  const data = nameBelow(root, hostPaths(root).dataDir)
  const others = (await listIfAny(checkpointFolder(root))).filter((file) => {
    const checkpoint = file.endsWith(checkpointHashEnding) ? file.slice(0, -checkpointHashEnding.length) : file
    return takenAt(checkpoint) !== undefined && checkpoint !== copy?.file
  })
  return [...liveFiles, ...others.map((file) => `${data}/checkpoints/${file}`)]
}
