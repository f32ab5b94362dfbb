// Brings a backup back from elsewhere, also to a machine that knows nothing of it: its page, its three files, decrypted and verified
// before any of them has its name.
import { createHash } from 'node:crypto'
import { constants, promises as fs, type Stats } from 'node:fs'
import { join } from 'node:path'
import { decryptTo } from '../../archive/encryption/file.ts'
import { archiveFile, indexFile, manifestFile } from '../../archive/manifest.ts'
import { verifyArchive } from '../../archive/verify.ts'
import type { OpenPlace } from '../../drivers/storage/port.ts'
import { NetopsError, systemCode } from '../../model/errors.ts'
import { leastFreeDisk } from '../../model/free-disk.ts'
import { formatBytes } from '../../model/units.ts'
import { linked, makeFolder, removeTree, sha256OfFile, syncFolder } from '../../system/files.ts'
import { refuseDistrustedHere } from '../../system/folder-trust.ts'
import { parsePageName, type CopyPart } from './names.ts'
import { mostOfAPage, parsePage, type CopyObject, type CopyPage } from './page.ts'

/** A copy as it is found in a place. */
export interface FoundCopy {
  /** The folder of its host there. */
  readonly host: string
  readonly id: string
  /** The name of its page. */
  readonly name: string
  /** When it was stored, in ms since 1970, by the clock there. */
  readonly storedMs: number
}

// As many as a hundred hosts have in a year of days.
const mostCopies = 50_000

/**
 * All copies in a place, the newest backup first; of one that was copied several times, the last copy.
 * @param host only those of this host
 * @throws NetopsError as the place
 */
export async function listCopies(
  place: Pick<OpenPlace, 'place' | 'list'>,
  { host, signal }: { readonly host?: string | undefined; readonly signal: AbortSignal },
): Promise<readonly FoundCopy[]> {
  const found = new Map<string, FoundCopy>()
  for await (const { name, modifiedMs } of place.list(host === undefined ? '' : `${host}/`, { signal })) {
    const named = parsePageName(name)
    if (named === undefined || (host !== undefined && named.host !== host)) continue
    const key = `${named.host}/${named.id}`
    const before = found.get(key)
    if (before === undefined || before.storedMs < modifiedMs) found.set(key, { ...named, name, storedMs: modifiedMs })
    if (found.size > mostCopies) {
      throw new NetopsError('failed', {
        message: `${place.place} holds more than ${mostCopies} copies`,
        hint: 'name the host whose copies are meant: --of HOST',
      })
    }
  }
  const time = ({ id }: FoundCopy): string => id.slice(id.indexOf('_'))
  return [...found.values()].toSorted((a, b) =>
    time(a) < time(b) ? 1 : time(a) > time(b) ? -1 : a.host < b.host ? -1 : 1,
  )
}

/**
 * The page of a copy.
 * @throws NetopsError `damaged` where it is none, `refused` where a newer netops wrote it
 */
export async function readPage(place: Pick<OpenPlace, 'get'>, name: string, signal: AbortSignal): Promise<CopyPage> {
  const chunks: Uint8Array[] = []
  for await (const chunk of place.get(name, { to: mostOfAPage, signal })) chunks.push(chunk)
  return parsePage(Buffer.concat(chunks).toString('utf8'), name)
}

export interface FetchRequest {
  readonly page: CopyPage
  /** A folder that is root's alone, or is made so. */
  readonly to: string
  /** As age-keygen writes them; none for a copy that is not encrypted. */
  readonly identities: readonly string[]
}

export interface FetchTools {
  readonly place: Pick<OpenPlace, 'place' | 'get'>
  readonly signal: AbortSignal
  /** Hears of bytes that were brought, of all that are. */
  readonly onBytes: (done: number, of: number) => void
}

/** A backup that was brought: its files have the id as their name. */
export interface Fetched {
  readonly folder: string
  readonly id: string
  readonly file: string
  /** Bytes that came over the network; what an earlier call has brought is not brought again. */
  readonly brought: number
}

/**
 * Fetches a copy into a folder, decrypts and verifies it. A repeated call goes on where the last one broke off.
 * @throws NetopsError `usage` where it is encrypted and no identity is given; `failed` where none fits, files of its name are there
 * or there is no room; `damaged` where it is not what was stored; `refused` where others may write to the folder
 */
export async function fetchCopy({ page, to, identities }: FetchRequest, tools: FetchTools): Promise<Fetched> {
  const { id, encrypted, objects } = page
  if (encrypted && identities.length === 0) {
    throw new NetopsError('usage', {
      message: `${id} is encrypted: it takes an identity of one of its recipients`,
      hint: 'name the file that age-keygen made: --identity FILE',
    })
  }
  await makeFolder(to, 0o700)
  await refuseDistrustedHere([to])
  const files = filesOf(page)
  for (const file of Object.values(files)) await refuseTaken(join(to, file))
  const work = join(to, `.fetching-${id}`)
  await makeFolder(work, 0o700)
  await refuseDistrustedHere([work])
  await refuseWithoutRoom(page, work)
  let brought = 0
  const of = objects.reduce((sum, { bytes }) => sum + bytes, 0)
  let before = 0
  for (const object of objects) {
    brought += await bring(object, { page, work, identities }, (done) => tools.onBytes(before + done, of), tools)
    before += object.bytes
  }
  await verify(page, work, tools.signal)
  await syncFolder(work)
  // The manifest last: with it the archive is there.
  for (const file of [files.archive, files.index, files.manifest]) {
    if (!(await linked(join(work, file), join(to, file)))) await refuseTaken(join(to, file))
  }
  await syncFolder(to)
  await removeTree(work)
  return { folder: to, id, file: files.archive, brought }
}

const filesOf = ({ id, compression }: CopyPage): Readonly<Record<CopyPart, string>> => ({
  archive: archiveFile(id, compression),
  index: indexFile(id),
  manifest: manifestFile(id),
})

/** What lies at a path, a link as such; undefined where there is nothing. */
const lookAt = (path: string): Promise<Stats | undefined> =>
  fs.lstat(path).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  })

async function refuseTaken(path: string): Promise<void> {
  if ((await lookAt(path)) === undefined) return
  throw new NetopsError('failed', {
    message: `${path} is there already; nothing is overwritten`,
    hint: 'name an empty folder: --to DIR',
  })
}

async function refuseWithoutRoom({ objects, encrypted }: CopyPage, work: string): Promise<void> {
  const { bavail, bsize } = await fs.statfs(work)
  const largest = Math.max(...objects.map(({ bytes }) => bytes))
  const held = (
    await Promise.all((await fs.readdir(work)).map(async (name) => (await fs.lstat(join(work, name))).size))
  ).reduce((sum, size) => sum + size, 0)
  const needed = objects.reduce((sum, { bytes }) => sum + bytes, 0) + (encrypted ? largest : 0) + leastFreeDisk - held
  if (bavail * bsize >= needed) return
  throw new NetopsError('failed', {
    message: `${formatBytes(bavail * bsize)} are free in ${work}, and ${formatBytes(needed)} are needed; what was brought so far is kept there`,
    hint: 'make room, or name another folder: --to DIR',
  })
}

interface Bringing {
  readonly page: CopyPage
  readonly work: string
  readonly identities: readonly string[]
}

/** @returns how many bytes came */
async function bring(
  object: CopyObject,
  { page, work, identities }: Bringing,
  onBytes: (done: number) => void,
  { place, signal }: FetchTools,
): Promise<number> {
  const plain = join(work, filesOf(page)[object.part])
  if (page.encrypted && (await lookAt(plain))?.isFile() === true) return 0
  // Of another copy of the same backup the bytes are others.
  const path = page.encrypted ? `${plain}.${object.sha256.slice(0, 12)}.age` : plain
  const brought = await download(object, path, onBytes, { place, signal })
  if (page.encrypted) {
    await decryptTo(bytesOf(path), plain, identities, signal)
    await fs.rm(path)
  }
  return brought
}

async function download(
  { name, bytes, sha256 }: CopyObject,
  path: string,
  onBytes: (done: number) => void,
  { place, signal }: Pick<FetchTools, 'place' | 'signal'>,
): Promise<number> {
  // Never through a link; what a call before has brought is gone on with.
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW
  const handle = await fs.open(path, flags, 0o600)
  let brought = 0
  try {
    let at = Math.min((await handle.stat()).size, bytes)
    await handle.truncate(at)
    for await (const chunk of place.get(name, { from: at, to: bytes, signal })) {
      await handle.write(chunk, 0, chunk.length, at)
      at += chunk.length
      brought += chunk.length
      onBytes(at)
    }
    await handle.sync()
  } finally {
    await handle.close()
  }
  if ((await sha256OfFile(path)) === sha256) return brought
  await fs.rm(path)
  throw new NetopsError('damaged', {
    message: `${place.place}: ${name} is not what was stored there`,
    hint: 'fetch another one: netops backup fetch --list --from PLACE',
  })
}

async function* bytesOf(path: string): AsyncGenerator<Uint8Array> {
  const handle = await fs.open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    for (;;) {
      const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(1 << 20), 0, 1 << 20, null)
      if (bytesRead === 0) return
      yield buffer.subarray(0, bytesRead)
    }
  } finally {
    await handle.close()
  }
}

/** Every byte against its hash, as of an archive that lies here. What is not whole is not kept. */
async function verify(page: CopyPage, work: string, signal: AbortSignal): Promise<void> {
  const hash = createHash('sha256')
  hash.update(await fs.readFile(join(work, manifestFile(page.id))))
  const isOther = hash.digest('hex') !== page.manifestSha256
  const { damages } = isOther
    ? { damages: [`its manifest is another one than ${page.id} had when it was copied`] }
    : await verifyArchive({ folder: work, name: page.id }, { signal })
  if (damages.length === 0) return
  await removeTree(work)
  throw new NetopsError('damaged', {
    message: `the copy of ${page.id} is damaged: ${damages.slice(0, 5).join('; ')}; nothing of it was kept`,
    hint: 'fetch another one: netops backup fetch --list --from PLACE',
  })
}
