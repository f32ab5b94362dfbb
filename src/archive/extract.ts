// Unpacks an archive into a folder of its own. All of the index is judged before anything is written, and no byte reaches tar(1)
// before it was found to be what the index says.
import { chmod, mkdir, readdir, rmdir, statfs, unlink, utimes } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { NetopsError, systemCode } from '../model/errors.ts'
import { formatBytes } from '../model/units.ts'
import { exec } from '../system/exec.ts'
import { removeTree } from '../system/files.ts'
import { refuseDistrustedHere } from '../system/folder-trust.ts'
import { indexOf, type LastArchive } from './last-pieces.ts'
import { ContentsJudge } from './contents.ts'
import { entryOf, type Entry } from './entries.ts'
import { readManifest, type ArchivePlace, type Manifest } from './manifest.ts'
import { bytesOf, folderOf, isWithin, nameOfText, shownName } from './names.ts'
import { Pipe } from './pipe.ts'
import { ProgressMeter, type OnProgress } from './progress.ts'
import { linesIn, rawBytesOf } from './slab.ts'
import { readSlabs } from './slab-reader.ts'
import { withPool, type ThreadPool } from './threads/pool.ts'

export interface ExtractRequest {
  readonly place: ArchivePlace
  /** Where to: a folder that is not there yet, or is empty, in a place where nobody else may write. */
  readonly into: string
  /** Names of what is wanted, with all below it; everything, unless this is given. */
  readonly only?: readonly string[] | undefined
  /** The folder that it lies in is held open by its caller, who has made sure that nobody else may write there. */
  readonly isHeld?: true
}

export interface ExtractTools {
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: OnProgress | undefined
  readonly pool?: ThreadPool | undefined
}

export interface Extracted {
  readonly manifest: Manifest
  readonly entries: number
}

/**
 * Unpacks an archive with owners, modes, times, extended attributes, access control lists and holes.
 * @throws NetopsError `damaged` where anything is not as it was written, `refused` for what must not be unpacked or where others
 * may write, `failed` where there is no room or nothing of that name, `interrupted` when aborted. Then nothing is left there.
 */
export async function extractArchive(request: ExtractRequest, tools: ExtractTools = {}): Promise<Extracted> {
  const { place, into } = request
  const manifest = await readManifest(place)
  const archive = { place, manifest }
  const choice = await judgeAll(archive, request.only?.map(nameOfText))
  if (request.isHeld === undefined) await refuseDistrustedHere([dirname(into)])
  const wasThere = await prepare(into)
  try {
    await requireRoom(into, choice)
    await withPool(tools.pool, (pool) => unpack(archive, { into, choice, tools: { ...tools, pool } }))
    await removeExtras(into, choice)
    return { manifest, entries: choice.entries }
  } catch (error) {
    for (const name of await readdir(into)) await removeTree(join(into, name))
    if (!wasThere) await removeTree(into)
    if (tools.signal?.aborted !== true) throw error
    throw new NetopsError('interrupted', { message: 'stopped; nothing was unpacked', cause: error })
  }
}

/** What of an archive is unpacked. */
interface Choice {
  readonly wants: ((name: string) => boolean) | 'all'
  readonly entries: number
  /** Bytes of files. */
  readonly bytes: number
  readonly raw: number
  /** Files that are unpacked only because a hard link leads to them. */
  readonly extras: ReadonlySet<string>
  /** Folders that stay and have such, with what they were. */
  readonly touched: ReadonlyMap<string, Entry>
}

/**
 * Goes through the whole index, twice where there are hard links: these are judged by what they lead to, which is known after the
 * first time. Where the manifest conceals them, they lead to nothing and are refused.
 */
async function judgeAll(archive: LastArchive, only: readonly string[] | undefined): Promise<Choice> {
  const { manifest } = archive
  const targets = new Map<string, boolean>()
  const isChosen = (name: string): boolean => only?.some((top) => isWithin(name, top)) ?? true
  const noteLinks = ({ kind, name, target = '' }: Entry): void => {
    if (kind === 'hardlink') targets.set(target, (targets.get(target) ?? false) || isChosen(name))
  }
  if (manifest.totals.hardlinks > 0) await eachEntry(archive, noteLinks)
  const extras = new Set([...targets].filter(([name, isWanted]) => isWanted && !isChosen(name)).map(([name]) => name))
  const tops = [...(only ?? []), ...extras]
  const wants = (name: string): boolean => isChosen(name) || extras.has(name) || tops.some((top) => isWithin(top, name))
  const onWay = (name: string): boolean => only?.some((top) => isWithin(top, name)) ?? true
  const judge = new ContentsJudge(manifest.roots, new Set(targets.keys()))
  let [entries, bytes, raw] = [0, 0, 0]
  const touched = new Map<string, Entry>()
  await eachEntry(archive, (entry, pieces) => {
    judge.judge(entry)
    raw += pieces
    if (!wants(entry.name)) return
    const isTouched = entry.kind === 'folder' && extras.size > 0 && onWay(entry.name)
    if (isTouched && [...extras].some((name) => isWithin(name, entry.name))) touched.set(entry.name, entry)
    entries += isChosen(entry.name) ? 1 : 0
    bytes += entry.sparse === true ? 0 : entry.size
  })
  if (only !== undefined && entries === 0) {
    throw new NetopsError('failed', {
      message: `the archive ${manifest.name} holds nothing by the name ${only.map(shownName).join(', ')}`,
    })
  }
  return {
    wants: only === undefined ? 'all' : wants,
    ...{ entries, bytes, raw },
    ...{ extras, touched },
  }
}

async function eachEntry(archive: LastArchive, look: (entry: Entry, raw: number) => void): Promise<void> {
  for await (const { pieces, text } of indexOf(archive).slabs()) {
    let raw = rawBytesOf(pieces)
    for (const line of linesIn(text)) {
      look(entryOf(line), raw)
      raw = 0
    }
  }
}

/** @returns whether the folder was there */
async function prepare(into: string): Promise<boolean> {
  try {
    await mkdir(into, 0o700)
    return false
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error
  }
  await refuseDistrustedHere([into])
  const found = await readdir(into)
  if (found.length > 0)
    throw new NetopsError('refused', { message: `${into} is not empty; an archive is unpacked into an empty folder` })
  await chmod(into, 0o700)
  return true
}

async function requireRoom(into: string, { bytes }: Choice): Promise<void> {
  const { bavail, bsize } = await statfs(into)
  if (bavail * bsize >= bytes) return
  throw new NetopsError('failed', {
    message: `${into} has ${formatBytes(bavail * bsize)} free, and what is to be unpacked takes ${formatBytes(bytes)}`,
  })
}

type UnpackTools = ExtractTools & { readonly pool: ThreadPool }

// Nothing that is there is followed or replaced; a folder's times are set when all of it is there.
const extractOptions = [
  ...['--extract', '--file=-', '--blocking-factor=128', '--keep-old-files'],
  ...['--delay-directory-restore', '--preserve-permissions'],
  ...['--acls', '--xattrs'],
]
const ofRoot = ['--same-owner', '--xattrs-include=*']
const ofOthers = ['--no-same-owner', '--xattrs-include=user.*']

async function unpack(
  archive: LastArchive,
  { into, choice, tools }: { readonly into: string; readonly choice: Choice; readonly tools: UnpackTools },
): Promise<void> {
  const progress = new ProgressMeter(tools.onProgress, 'reading')
  progress.begin(choice.raw)
  const damages: string[] = []
  const pipe = new Pipe()
  const stop = new AbortController()
  const reading = readSlabs(archive, {
    ...{ pool: tools.pool, signal: tools.signal },
    wanted: choice.wants === 'all' ? 'all' : wantsLine(choice.wants),
    onBytes: (raw) => progress.bytes(raw),
    onRaw: (bytes) => pipe.write(bytes),
    onDamage: (damage) => {
      damages.push(damage)
      throw new NetopsError('damaged', { message: `${archive.manifest.name} is damaged: ${damage}` })
    },
  }).then(
    () => pipe.end(),
    (error: unknown) => {
      pipe.end()
      stop.abort()
      throw error
    },
  )
  const unpacking = exec(
    ['tar', ...extractOptions, ...(process.getuid?.() === 0 ? ofRoot : ofOthers), '--directory', into],
    {
      env: { LC_ALL: 'C', TAR_OPTIONS: undefined, TAPE: undefined },
      stdin: { stream: () => pipe.read() },
      signal: stop.signal,
      most: 16 << 20,
    },
  ).finally(() => pipe.close())
  // What was read wrong is the reason, whatever tar says of a stream that broke off.
  const [read, unpacked] = await Promise.allSettled([reading, unpacking])
  if (read.status === 'rejected' && !pipe.isClosedEarly) throw read.reason
  if (unpacked.status === 'rejected') throw unpacked.reason
  const { code, stderr } = unpacked.value
  if (code !== 0) {
    throw new NetopsError('failed', { message: `cannot unpack: ${stderr.trim().split('\n').slice(-5).join('\n')}` })
  }
  if (read.status === 'rejected') throw read.reason
}

const wantsLine = (wants: (name: string) => boolean) => (line: string) => wants(entryOf(line).name)

/** Removes what was unpacked only so that hard links had something to lead to, and the folders that hold nothing else. */
async function removeExtras(into: string, { extras, touched }: Choice): Promise<void> {
  const pathIn = (name: string): Buffer => Buffer.concat([Buffer.from(into), bytesOf(`/${name}`)])
  for (const name of extras) {
    await unlink(pathIn(name))
    for (let folder = folderOf(name); folder !== '' && !touched.has(folder); folder = folderOf(folder)) {
      if (!(await isRemoved(pathIn(folder)))) break
    }
  }
  for (const [name, { mtime }] of [...touched].toReversed()) {
    const seconds = Number(BigInt(mtime) / 1000n) / 1e6
    await utimes(pathIn(name), seconds, seconds)
  }
}

/** Removes a folder if it is empty. */
async function isRemoved(folder: Buffer): Promise<boolean> {
  try {
    await rmdir(folder)
    return true
  } catch (error) {
    if (systemCode(error) === 'ENOTEMPTY') return false
    throw error
  }
}
