// Objects as files below a folder, of this machine or of another: made under a name with a dot in front, verified, then renamed.
import { createHash } from 'node:crypto'
import { basename, dirname } from 'node:path'
import { NetopsError } from '../../model/errors.ts'
import { formatBytes } from '../../model/units.ts'
import type { FileFacts, HostFile, HostFiles } from '../hosts/port.ts'
import type {
  CallOptions,
  Evidence,
  Expected,
  GetOptions,
  ObjectFacts,
  PutOptions,
  Source,
  Storage,
  Stored,
} from './port.ts'
import { checkName, checkPrefix } from './names.ts'
import { PassingFault, persistently, Tries, wasLeft, type Patience } from './retry.ts'
import { Sending } from './sending.ts'
import { hashOfBeginning, Reading } from './source.ts'

/** A folder of a machine, and how it is come by again when its connection is lost. */
export interface FilesPlace {
  readonly place: string
  /** Absolute; made where it is missing. */
  readonly folder: string
  /** @throws NetopsError `unreachable`, after which it is tried again */
  readonly connect: () => Promise<HostFiles>
  /** Looks at folders before something is written below them. @throws NetopsError `refused` where others may write there */
  readonly trust: (folders: readonly string[]) => Promise<void>
  readonly patience: Patience
}

const pieceBytes = 2 ** 18
/**
 * How many pieces are asked for or on their way at once, at most: 8 MiB, as much as lies on a link of 1 Gbit/s with 60 ms there and
 * back. It begins with one and grows with each that arrives: a burst of megabytes into a new connection made the first of them
 * take three seconds on a loopback, where a receiver's window is hardly larger than a segment.
 */
const mostOnTheWay = 32
const onTheWay = (arrived: number): number => Math.min(mostOnTheWay, 1 + arrived)

/** The file that is made ready for an object; its content is told by the hash in its name, so another content is another file. */
const partOf = (path: string, sha256: string): string =>
  `${dirname(path)}/.${basename(path)}.${sha256.slice(0, 16)}.part`
const isPartOf = (name: string, entry: string): boolean =>
  entry.startsWith(`.${name}.`) && /^[0-9a-f]{16}\.part$/.test(entry.slice(name.length + 2))

/** Objects in files; what is to be done with them is the same here and elsewhere. */
export class StorageInFiles implements Storage {
  readonly place: string
  readonly #at: FilesPlace
  #files: Promise<HostFiles> | undefined

  constructor(at: FilesPlace) {
    this.place = at.place
    this.#at = at
  }

  async put(name: string, source: Source, options: PutOptions = {}): Promise<Stored> {
    const path = this.#pathOf(name)
    const sending = new Sending(source, options)
    return this.#persistently(
      `storing ${name}`,
      options.signal,
      () => sending.reached,
      async (files) => {
        const taken = await this.#takenBy(files, { path, name, source }, options)
        if (taken !== undefined) return { outcome: 'there', sent: sending.sent, evidence: taken }
        await this.#makeFolders(files, dirname(path))
        const part = partOf(path, source.sha256)
        const evidence = await this.#makeReady(files, part, sending)
        if (!(await files.rename(part, path))) {
          const now = await this.#takenBy(files, { path, name, source }, options)
          if (now === undefined) throw new PassingFault('failed', { message: `${path} comes and goes` })
          await files.remove(part)
          return { outcome: 'there', sent: sending.sent, evidence: now }
        }
        await files.syncFolder(dirname(path))
        return { outcome: 'stored', sent: sending.sent, evidence }
      },
    )
  }

  async *get(name: string, { from = 0, to, signal }: GetOptions = {}): AsyncGenerator<Uint8Array> {
    const path = this.#pathOf(name)
    let at = from
    let end: number | undefined
    const what = `reading ${name}`
    const breaks = new Tries({ patience: this.#at.patience, signal, achieved: () => at })
    while (end === undefined || at < end) {
      // What was read before a connection was lost is not read again.
      const { file, size } = await this.#persistently(what, signal, undefined, (files) =>
        this.#openObject(files, path, name),
      )
      end = Math.min(to ?? size, size)
      try {
        for await (const bytes of ahead(file, at, end)) {
          if (signal?.aborted === true) throw wasLeft(what)
          at += bytes.length
          yield bytes
        }
      } catch (error) {
        this.#lose()
        await breaks.failed(error)
        continue
      } finally {
        await file.close().catch(() => undefined)
      }
      if (at < end) throw new NetopsError('damaged', { message: `${this.place}: ${name} is shorter than it was` })
    }
  }

  async head(name: string, { signal }: CallOptions = {}): Promise<ObjectFacts | undefined> {
    const path = this.#pathOf(name)
    return this.#persistently(`looking at ${name}`, signal, undefined, async (files) => {
      const facts = await files.look(path)
      return facts?.kind === 'file' ? { name, size: facts.size, modifiedMs: facts.modifiedMs } : undefined
    })
  }

  async *list(prefix: string, { signal }: CallOptions = {}): AsyncGenerator<ObjectFacts> {
    checkPrefix(prefix)
    const above = prefix.includes('/') ? prefix.slice(0, prefix.lastIndexOf('/')) : ''
    const files = await this.#persistently('listing', signal, undefined, (found) => Promise.resolve(found))
    const folders = [above]
    for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
      const at = folder === '' ? this.#at.folder : `${this.#at.folder}/${folder}`
      for await (const { name, facts } of files.list(at)) {
        if (signal?.aborted === true) throw wasLeft('listing')
        if (name.startsWith('.')) continue
        const full = folder === '' ? name : `${folder}/${name}`
        if (facts.kind === 'folder' && (full.startsWith(prefix) || prefix.startsWith(`${full}/`))) folders.push(full)
        if (facts.kind !== 'file' || !full.startsWith(prefix)) continue
        yield { name: full, size: facts.size, modifiedMs: facts.modifiedMs }
      }
    }
  }

  async verify(name: string, { size, sha256 }: Expected, { signal }: CallOptions = {}): Promise<Evidence> {
    const path = this.#pathOf(name)
    return this.#persistently(`verifying ${name}`, signal, undefined, async (files) => {
      const damaged = (why: string): NetopsError =>
        new NetopsError('damaged', {
          message: `${this.place}: ${name} ${why}`,
          hint: 'store it anew, or delete it there',
        })
      const facts = await files.look(path)
      if (facts === undefined) throw damaged('is missing')
      if (facts.kind !== 'file') throw damaged('is no file')
      if (facts.size !== size) throw damaged(`has ${facts.size} bytes, not ${size}`)
      const found = await hashOf(files, path, { sha256, signal })
      if (found.sha256 !== sha256) throw damaged(`has another content: SHA-256 ${found.sha256}, not ${sha256}`)
      return found.evidence
    })
  }

  async delete(name: string, { signal }: CallOptions = {}): Promise<void> {
    const path = this.#pathOf(name)
    await this.#persistently(`deleting ${name}`, signal, undefined, async (files) => {
      await this.#at.trust([dirname(path)])
      await files.remove(path)
      if ((await files.look(dirname(path))) !== undefined) await files.syncFolder(dirname(path))
    })
  }

  async abandon(name: string, { signal, notes }: Pick<PutOptions, 'signal' | 'notes'> = {}): Promise<void> {
    const path = this.#pathOf(name)
    await this.#persistently(`clearing up after ${name}`, signal, undefined, async (files) => {
      await this.#at.trust([dirname(path)])
      const left: string[] = []
      for await (const entry of files.list(dirname(path)))
        if (isPartOf(basename(path), entry.name)) left.push(entry.name)
      for (const entry of left) await files.remove(`${dirname(path)}/${entry}`)
    })
    await notes?.clear()
  }

  async close(): Promise<void> {
    const files = this.#files
    this.#files = undefined
    await (await files?.catch(() => undefined))?.close()
  }

  #pathOf(name: string): string {
    checkName(name)
    return `${this.#at.folder}/${name}`
  }

  #persistently<T>(
    what: string,
    signal: AbortSignal | undefined,
    achieved: (() => number) | undefined,
    work: (files: HostFiles) => Promise<T>,
  ): Promise<T> {
    return persistently(what, { patience: this.#at.patience, signal, achieved }, async () => {
      const connected = (this.#files ??= this.#at.connect())
      try {
        return await work(await connected)
      } catch (error) {
        if (error instanceof NetopsError && error.code === 'unreachable') this.#lose()
        throw error
      }
    })
  }

  /** A connection that is lost is made anew for the next try. */
  #lose(): void {
    const lost = this.#files
    this.#files = undefined
    void lost?.then((files) => files.close()).catch(() => undefined)
  }

  /** How it is known that the name has this very content already; undefined where the name is free. */
  async #takenBy(
    files: HostFiles,
    { path, name, source }: { readonly path: string; readonly name: string; readonly source: Source },
    { signal }: CallOptions,
  ): Promise<Evidence | undefined> {
    const facts = await files.look(path)
    if (facts === undefined) return undefined
    const found =
      facts.kind === 'file' && facts.size === source.size ? await hashOf(files, path, { ...source, signal }) : undefined
    if (found?.sha256 === source.sha256) return found.evidence
    throw new NetopsError('refused', {
      message: `${this.place} has something else under the name ${name}: nothing there is ever overwritten`,
      hint: 'look at what it is; store under another name, or delete it there',
    })
  }

  /** Makes the folders of an object; none of them may be a link, or be written to by others. */
  async #makeFolders(files: HostFiles, folder: string): Promise<void> {
    const below = folder.slice(this.#at.folder.length).split('/').filter(Boolean)
    const all = below.reduce((made, name) => [...made, `${made.at(-1) ?? ''}/${name}`], [this.#at.folder])
    for (const path of all) {
      const facts = await files.look(path)
      if (facts?.kind === 'folder') continue
      // The folder itself may lie behind a link: that is the operator's word, and its way is looked at like any other.
      if (facts?.kind === 'link' && path === this.#at.folder) continue
      if (facts !== undefined) throw inTheWay(path, facts)
      await files.makeFolder(path)
    }
    await this.#at.trust(all)
  }

  /** Makes the file beside, whole and verified. */
  async #makeReady(files: HostFiles, part: string, sending: Sending): Promise<Evidence> {
    const { source, signal } = sending
    const begun = await this.#begun(files, part, sending)
    const free = await files.free(dirname(part))
    if (free !== undefined && free < source.size - begun) {
      const [needs, has] = [formatBytes(source.size - begun), formatBytes(free)]
      throw new NetopsError('failed', {
        message: `${this.place}: no space: ${needs} are needed, ${has} are free`,
        hint: 'free some there, or let more expire',
      })
    }
    const file = await files.open(part, begun === 0 ? 'new' : 'more')
    try {
      await write(file, begun, sending)
      await file.sync()
    } finally {
      await file.close().catch(() => undefined)
    }
    const found = await hashOf(files, part, { sha256: source.sha256, signal })
    if (found.sha256 === source.sha256) return found.evidence
    await files.remove(part)
    const message = `${this.place}: what arrived is not what was sent: SHA-256 ${found.sha256}, not ${source.sha256}`
    throw new PassingFault('damaged', {
      message,
      hint: 'its disk, or what lies on the way there, changes what it is given',
    })
  }

  /** How many bytes of the file beside are a beginning of the source; it is removed where it is none. */
  async #begun(files: HostFiles, part: string, { source, signal }: Sending): Promise<number> {
    const facts = await files.look(part)
    if (facts === undefined) return 0
    if (facts.kind === 'folder') throw inTheWay(part, facts)
    const fits = facts.kind === 'file' && facts.size > 0 && facts.size <= source.size
    // Without a hash from there, what is wrong in it is found at the end, before it gets its name.
    const said = fits ? await files.hash(part, signal) : undefined
    if (fits && (said === undefined || said === (await hashOfBeginning(source, facts.size)))) return facts.size
    await files.remove(part)
    return 0
  }

  async #openObject(files: HostFiles, path: string, name: string): Promise<{ file: HostFile; size: number }> {
    const facts = await files.look(path)
    if (facts?.kind === 'file') return { file: await files.open(path, 'read'), size: facts.size }
    throw new NetopsError('failed', { message: `${this.place} has no object ${name}` })
  }
}

const inTheWay = (path: string, { kind }: FileFacts): NetopsError =>
  new NetopsError('refused', {
    message: `${path} is in the way: expected ${kind === 'folder' ? 'a file' : 'a folder'}, and no link is followed there`,
    hint: 'move it away',
  })

/** Writes what is missing, several pieces on their way at once. */
async function write(file: HostFile, begun: number, sending: Sending): Promise<void> {
  const { source, signal } = sending
  const pending: Promise<void>[] = []
  let [at, arrived] = [0, 0]
  const take = async (): Promise<void> => {
    await pending.shift()
    arrived += 1
  }
  sending.arrived(begun, 0)
  for await (const piece of new Reading(source).pieces(pieceBytes)) {
    if (signal?.aborted === true) throw wasLeft('what is stored')
    const missing = piece.subarray(Math.min(piece.length, Math.max(0, begun - at)))
    at += piece.length
    if (missing.length === 0) continue
    const end = at
    const written = file.write(missing, end - missing.length).then(() => sending.arrived(end, missing.length))
    // Whoever comes to it hears of it.
    written.catch(() => undefined)
    pending.push(written)
    if (pending.length >= onTheWay(arrived)) await take()
  }
  while (pending.length > 0) await take()
}

/** A file's bytes in order, asked for ahead. */
async function* ahead(file: HostFile, from: number, to: number): AsyncGenerator<Uint8Array> {
  const pending: Promise<Uint8Array>[] = []
  let [asked, arrived] = [from, 0]
  for (let at = from; at < to;) {
    while (pending.length < onTheWay(arrived) && asked < to) {
      const length = Math.min(pieceBytes, to - asked)
      const reading = file.read(asked, length)
      reading.catch(() => undefined)
      pending.push(reading)
      asked += length
    }
    const bytes = await pending.shift()
    if (bytes === undefined || bytes.length === 0) return
    yield bytes
    at += bytes.length
    arrived += 1
    // A file that has become shorter meanwhile: what was asked for behind the gap is not what comes next.
    if (at < asked && bytes.length < pieceBytes && at < to) return
  }
}

interface Hashed {
  readonly sha256: string
  readonly evidence: Evidence
}

/** What a file holds: as the host says where it can, else read back. A hash that is not the expected one is looked at again by reading. */
async function hashOf(
  files: HostFiles,
  path: string,
  { sha256, signal }: { readonly sha256: string; readonly signal: AbortSignal | undefined },
): Promise<Hashed> {
  // An account whose commands see other folders than its files (chroot) would hash another file of that name.
  if ((await files.hash(path, signal)) === sha256) return { sha256, evidence: 'hashed-there' }
  const size = (await files.look(path))?.size ?? 0
  const hash = createHash('sha256')
  const file = await files.open(path, 'read')
  try {
    for await (const bytes of ahead(file, 0, size)) {
      if (signal?.aborted === true) throw wasLeft('reading back')
      hash.update(bytes)
    }
  } finally {
    await file.close().catch(() => undefined)
  }
  return { sha256: hash.digest('hex'), evidence: 'read-back' }
}
