// Checkpoints as files: NAME.db and, beside it, NAME.db.sha256 as sha256sum writes it. Names are times, so that they sort.
import { promises as fs } from 'node:fs'
import { join } from 'node:path'
import { checkpointHashEnding, takenAt } from '../../model/checkpoint.ts'
import { systemCode } from '../../model/errors.ts'
import { readTextIfAny } from '../../system/files.ts'

/** A checkpoint that lies in its place, whole. */
export interface Checkpoint {
  readonly path: string
  /** When it was taken, in ms since 1970, by its name. */
  readonly takenMs: number
  readonly bytes: number
}

/** Held by the process that takes one. */
export const lockName = '.lock'
/** What is being written: whoever was killed leaves it. */
export const temporaryPrefix = '.taking-'
const ticketMs = 60_000

/** Where the hash of a checkpoint lies. */
export const hashPath = (checkpoint: string): string => `${checkpoint}${checkpointHashEnding}`

/** `checkpoint-20260102T030405678Z.db` for a time in ms since 1970. */
export const checkpointName = (takenMs: number): string =>
  `checkpoint-${new Date(takenMs).toISOString().replace(/[-:.]/g, '')}.db`

/** All checkpoints of a folder, the newest first; none where there is no folder. */
export async function listCheckpoints(folder: string): Promise<readonly Checkpoint[]> {
  const found: Checkpoint[] = []
  for (const file of await namesIn(folder)) {
    const takenMs = takenAt(file)
    if (takenMs === undefined) continue
    const path = join(folder, file)
    const bytes = await fs.lstat(path).then(
      (stat) => (stat.isFile() ? stat.size : undefined),
      () => undefined,
    )
    if (bytes !== undefined) found.push({ path, takenMs, bytes })
  }
  return found.sort((a, b) => b.takenMs - a.takenMs)
}

/**
 * Removes what taking and removing left half done; only for who alone takes checkpoints there.
 * @returns the names that are gone
 */
export async function removeLeftovers(folder: string): Promise<readonly string[]> {
  const names = await namesIn(folder)
  const left = names.filter(
    (file) =>
      file.startsWith(temporaryPrefix) ||
      // A hash gets its name before its checkpoint does, and loses it afterwards.
      (file.endsWith(checkpointHashEnding) &&
        takenAt(file.slice(0, -checkpointHashEnding.length)) !== undefined &&
        !names.includes(file.slice(0, -checkpointHashEnding.length))),
  )
  // Whoever is killed while it asks for the lock leaves its ticket; one that is young may be somebody's who is asking now.
  for (const file of names.filter((one) => one.startsWith(`${lockName}.`))) {
    const { mtimeMs } = await fs.lstat(join(folder, file)).catch(() => ({ mtimeMs: Infinity }))
    if (Date.now() - mtimeMs > ticketMs) left.push(file)
  }
  for (const file of left) await fs.rm(join(folder, file), { force: true, recursive: true })
  return left
}

/**
 * Removes all but the newest, of which the first was just taken and verified: it stays whatever its time says.
 * @param keep at least 1
 */
export async function removeOld(folder: string, taken: string, keep: number): Promise<void> {
  const others = (await listCheckpoints(folder)).filter(({ path }) => path !== taken)
  for (const { path } of others.slice(keep - 1)) {
    await fs.rm(path, { force: true })
    await fs.rm(hashPath(path), { force: true })
  }
}

// 64 digits, two spaces, and a name.
const mostOfHash = 4096

/** The SHA-256 that lies beside a file, as 64 digits; undefined where there is none. */
export async function readHash(checkpoint: string): Promise<string | undefined> {
  return hashIn((await readTextIfAny(hashPath(checkpoint), mostOfHash)) ?? '')
}

/** The SHA-256 in a line that sha256sum wrote. */
const hashIn = (text: string): string | undefined => /^\\?([0-9a-f]{64})(?:\s|$)/.exec(text)?.[1]

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await fs.readdir(folder)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return []
    throw error
  }
}
