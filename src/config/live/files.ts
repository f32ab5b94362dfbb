// Files that the service reads, and places that it writes to: are they there, and may its account use them?
import { promises as fs, type Stats } from 'node:fs'
import { dirname } from 'node:path'
import { NetopsError, systemCode } from '../../model/errors.ts'
import { below, hostPaths } from '../../model/paths.ts'
import { readFileUpTo } from '../../system/bounded.ts'
import { judgeAccess, type Account } from './account.ts'
import { problem, warning, type LiveFinding } from './finding.ts'
import { hiddenByUnit, readOnlyByUnit } from './unit.ts'

/** A path of the configuration. */
export interface Entry {
  /** Its key. */
  readonly key: string
  /** As the configuration says it. */
  readonly path: string
}

/** Where and for whom a look is taken. */
export interface Eye {
  readonly root: string
  readonly account: Account
  readonly signal: AbortSignal
}

/**
 * A file that the service reads.
 * @param entry `secret`: nobody else should read it
 */
export async function examineFile(
  { key, path, secret }: Entry & { readonly secret: boolean },
  { root, account, signal }: Eye,
): Promise<readonly LiveFinding[]> {
  const file = below(root, path)
  const stats = await statIfAny(file)
  if (stats === undefined) return [problem(key, `there is no file ${file}`)]
  if (stats === 'out of reach') return [judgeAccess(key, account, false, `reach ${file}`)]
  if (!stats.isFile()) return [problem(key, `${file} is not a regular file`)]
  const may = await account.may('read', file, signal)
  const exposed = secret ? exposure(stats, account.groups) : undefined
  const hiding = root === '/' ? hiddenByUnit(path) : undefined
  return [
    judgeAccess(key, account, may, `read ${file}`),
    ...(exposed === undefined ? [] : [warning(key, `${file} can be read by ${exposed}`)]),
    ...(hiding === undefined ? [] : [warning(key, hiding)]),
  ]
}

/** Who besides its owner and the service can read a file, if anybody. */
export function exposure(
  { mode, gid }: Pick<Stats, 'mode' | 'gid'>,
  groupsOfService: readonly number[],
): string | undefined {
  const shown = (mode & 0o7777).toString(8).padStart(4, '0')
  if ((mode & 0o004) !== 0) return `every account of this machine (mode ${shown})`
  return (mode & 0o040) !== 0 && !groupsOfService.includes(gid)
    ? `the group ${gid}, which is not one of the service's (mode ${shown})`
    : undefined
}

/** A file that the service appends to, or makes. */
export async function examineLogFile({ key, path }: Entry, eye: Eye): Promise<readonly LiveFinding[]> {
  const file = below(eye.root, path)
  const stats = await statIfAny(file)
  if (stats === undefined) return examineFolder({ key, path: dirname(path) }, eye)
  if (stats === 'out of reach') return [judgeAccess(key, eye.account, false, `reach ${file}`)]
  if (stats.isDirectory()) return [problem(key, `${file} is a folder`)]
  const may = await eye.account.may('write', file, eye.signal)
  return [judgeAccess(key, eye.account, may, `write ${file}`), ...closedByUnit({ key, path }, eye.root)]
}

/** A folder that the service makes files in. */
export async function examineFolder({ key, path }: Entry, eye: Eye): Promise<readonly LiveFinding[]> {
  const { root, account, signal } = eye
  const folder = below(root, path)
  const existing = await nearestExisting(folder)
  if (existing.stats === 'out of reach') return [judgeAccess(key, account, false, `reach ${existing.path}`)]
  if (!existing.stats.isDirectory()) return [problem(key, `${existing.path} is not a folder`)]
  const closed = closedByUnit({ key, path }, root)
  const may = (): Promise<boolean> => account.may('make files in', existing.path, signal)
  if (existing.path === folder) return [judgeAccess(key, account, await may(), `make files in ${folder}`), ...closed]
  // Everything else has to be made by the service itself, before it writes there.
  if (ownFolders(root).includes(folder)) return [warning(key, `${folder} is not there yet: a deployment makes it`)]
  const can = await may()
  return can && account.standIn === undefined
    ? [warning(key, `${folder} is not there yet: the service makes it at its start`), ...closed]
    : [judgeAccess(key, account, can, `make ${folder} in ${existing.path}`), ...closed]
}

const ownFolders = (root: string): readonly string[] => [hostPaths(root).dataDir, hostPaths(root).logDir]

function closedByUnit({ key, path }: Entry, root: string): readonly LiveFinding[] {
  const reason = root === '/' ? readOnlyByUnit(path, ownFolders(root)) : undefined
  return reason === undefined ? [] : [warning(key, reason)]
}

// The largest chain of certificates in use is far below; a file beyond it is another file than the one that was meant.
const largestContent = 2 ** 20

/**
 * The content of a small file; undefined where there is none to be had, which {@link examineFile} tells about.
 * @throws NetopsError `failed` when it is larger than 1 MiB
 */
export async function contentOf(file: string): Promise<Buffer | undefined> {
  const stats = await statIfAny(file)
  if (stats === undefined || stats === 'out of reach' || !stats.isFile()) return undefined
  if (stats.size > largestContent) throw new NetopsError('failed', { message: `${file} is larger than 1 MiB` })
  try {
    return await readFileUpTo(file, largestContent)
  } catch (error) {
    if (systemCode(error) === 'EACCES') return undefined
    throw error
  }
}

export type Seen = Stats | 'out of reach'

export async function statIfAny(path: string): Promise<Seen | undefined> {
  try {
    return await fs.stat(path)
  } catch (error) {
    const code = systemCode(error)
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    if (code === 'EACCES') return 'out of reach'
    throw error
  }
}

async function nearestExisting(folder: string): Promise<{ readonly path: string; readonly stats: Seen }> {
  for (let path = folder; ; path = dirname(path)) {
    const stats = await statIfAny(path)
    if (stats !== undefined) return { path, stats }
    if (path === dirname(path)) throw new NetopsError('failed', { message: `there is no folder ${path}` })
  }
}
