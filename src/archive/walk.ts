// Lists what lies below some roots, in the order of names and a folder at a time, as lstat(2) tells of it. Follows no link.
import { readdirSync, readFileSync, lstatSync, type BigIntStats } from 'node:fs'
import { messageOf, NetopsError, systemCode } from '../model/errors.ts'
import { fitsPattern } from '../model/pattern.ts'
import type { Seen } from './entries.ts'
import { compareNames, isWithin, nameOfText, pathOf, shownName } from './names.ts'

export interface WalkRequest {
  /** The folder to which names are relative: `/`, or a root of one's own. */
  readonly base: string
  /** What is archived, relative to the base: `etc/network_system`. */
  readonly roots: readonly string[]
  /**
   * What is left out: a name relative to the base with all below it, or a pattern with `*` and `?`, which is held against the
   * whole name where it has a slash, else against the last part of each.
   */
  readonly exclude?: readonly string[] | undefined
  /** Folders that are left out wherever they lie, by device and inode: where archives are written. */
  readonly own?: readonly { readonly device: string; readonly inode: string }[] | undefined
}

/** Something that is not in the archive, on purpose. */
export interface LeftOut {
  readonly name: string
  readonly why: 'excluded' | 'socket' | 'fifo' | 'device' | 'mount' | 'own'
}

/** Something that ought to be in the archive, and is not as it should be. */
export interface Trouble {
  readonly name: string
  readonly what: 'unreadable' | 'vanished' | 'changed' | 'missing'
  readonly reason: string
}

export interface WalkNotes {
  leave(left: LeftOut): void
  trouble(trouble: Trouble): void
}

// FAT keeps times of change to two seconds, ext3 and older NFS to one, all others to a tick of the kernel or less.
const coarsestNs = 2_000_000_000n

/**
 * Lists all entries below the roots. What changed less than two seconds before the walk began is not settled: it could change
 * once more, after it is read, without another time of change.
 * @param startedNs when the walk began, by the machine's clock
 * @throws NetopsError `usage` where a root is no name below the base, or is a symbolic link
 */
export function* walk(request: WalkRequest, notes: WalkNotes, startedNs: bigint): Generator<Seen, void, undefined> {
  const walker = new Walker(request, notes, startedNs - coarsestNs)
  for (const root of rootNames(request.roots)) yield* walker.root(root)
}

/**
 * The roots as names: in order, none within another.
 * @throws NetopsError `usage` for a root that is no name below the base
 */
export function rootNames(roots: readonly string[]): readonly string[] {
  const names = roots.map((root) => {
    const name = nameOfText(root)
    if (!isPlainName(name)) {
      throw new NetopsError('usage', {
        message: `${root} cannot be archived: expected a path below the base, without a leading or trailing slash and without . and ..`,
      })
    }
    return name
  })
  const sorted = names.toSorted(compareNames)
  return sorted.filter((name, at) => at === 0 || !sorted.slice(0, at).some((above) => isWithin(name, above)))
}

/** @returns whether a name is relative and leads nowhere but down, each folder said once */
export const isPlainName = (name: string): boolean =>
  name !== '' && !name.includes('\0') && !name.split('/').some((part) => part === '' || part === '.' || part === '..')

interface Place {
  /** The device of the root: what lies on another one is mounted there. */
  readonly device: bigint
  readonly isMount: boolean
}

class Walker {
  readonly #prefix: string
  readonly #excluded: (name: string) => boolean
  readonly #own: ReadonlySet<string>
  readonly #notes: WalkNotes
  readonly #settledBefore: bigint
  readonly #mounts: ReadonlySet<string>
  /** Of files with further names that were not met yet: the first name, and how many are to come. */
  readonly #linked = new Map<string, { readonly name: string; left: number }>()

  constructor({ base, exclude = [], own = [] }: WalkRequest, notes: WalkNotes, settledBefore: bigint) {
    this.#prefix = base.endsWith('/') ? nameOfText(base) : `${nameOfText(base)}/`
    this.#excluded = excluder(exclude.map(nameOfText))
    this.#own = new Set(own.map(({ device, inode }) => `${device}:${inode}`))
    this.#notes = notes
    this.#settledBefore = settledBefore
    this.#mounts = mountPoints()
  }

  *root(name: string): Generator<Seen, void, undefined> {
    const found = this.#look(name)
    if (found === undefined) {
      this.#notes.trouble({ name, what: 'missing', reason: 'there is no such file or folder' })
      return
    }
    if (found.isSymbolicLink()) {
      throw new NetopsError('usage', {
        message: `${shownName(this.#prefix + name)} is a symbolic link: an archive would hold the link alone`,
        hint: 'name the folder that it leads to',
      })
    }
    yield* this.#entry(name, found, { device: found.dev, isMount: false })
  }

  *#entry(name: string, found: BigIntStats, { device, isMount }: Place): Generator<Seen, void, undefined> {
    const why = this.#whyNot(name, found)
    if (why !== undefined) {
      this.#notes.leave({ name, why })
      return
    }
    if (isMount && !found.isDirectory()) {
      this.#notes.leave({ name, why: 'mount' })
      return
    }
    yield this.#seen(name, found)
    if (!found.isDirectory()) return
    // The folder itself is kept: what is restored has a place to mount on.
    if (isMount) this.#notes.leave({ name, why: 'mount' })
    else yield* this.#below(name, device)
  }

  *#below(folder: string, device: bigint): Generator<Seen, void, undefined> {
    for (const part of this.#list(folder)) {
      const name = `${folder}/${part}`
      const found = this.#look(name)
      if (found === undefined) continue
      const isMount = found.dev !== device || this.#mounts.has(this.#prefix + name)
      yield* this.#entry(name, found, { device, isMount })
    }
  }

  #list(folder: string): readonly string[] {
    try {
      return readdirSync(pathOf(this.#prefix + folder), 'latin1').sort()
    } catch (error) {
      const what = systemCode(error) === 'ENOENT' ? 'vanished' : 'unreadable'
      this.#notes.trouble({ name: folder, what, reason: reasonOf(error) })
      return []
    }
  }

  #look(name: string): BigIntStats | undefined {
    try {
      // What is gone between the listing and this look is no trouble: it could as well have gone before.
      return lstatSync(pathOf(this.#prefix + name), { bigint: true, throwIfNoEntry: false })
    } catch (error) {
      this.#notes.trouble({ name, what: 'unreadable', reason: reasonOf(error) })
      return undefined
    }
  }

  #whyNot(name: string, found: BigIntStats): LeftOut['why'] | undefined {
    if (this.#excluded(name)) return 'excluded'
    if (found.isFile() || found.isSymbolicLink()) return undefined
    if (found.isDirectory()) return this.#own.has(`${found.dev}:${found.ino}`) ? 'own' : undefined
    if (found.isSocket()) return 'socket'
    return found.isFIFO() ? 'fifo' : 'device'
  }

  #seen(name: string, found: BigIntStats): Seen {
    const isFile = found.isFile()
    const first = isFile && found.nlink > 1n ? this.#firstName(name, found) : undefined
    return {
      name,
      kind: isFile ? (first === undefined ? 'file' : 'hardlink') : found.isDirectory() ? 'folder' : 'link',
      size: isFile && first === undefined ? Number(found.size) : 0,
      mode: Number(found.mode) & 0o7777,
      uid: Number(found.uid),
      gid: Number(found.gid),
      mtime: `${found.mtimeNs}`,
      ctime: `${found.ctimeNs}`,
      inode: `${found.ino}`,
      device: `${found.dev}`,
      ...(first === undefined ? {} : { target: first }),
      settled: found.ctimeNs < this.#settledBefore,
    }
  }

  /** @returns the name under which this file was met before, if it was */
  #firstName(name: string, { dev, ino, nlink }: BigIntStats): string | undefined {
    const key = `${dev}:${ino}`
    const known = this.#linked.get(key)
    if (known === undefined) {
      this.#linked.set(key, { name, left: Number(nlink) - 1 })
      return undefined
    }
    known.left -= 1
    if (known.left <= 0) this.#linked.delete(key)
    return known.name
  }
}

const reasonOf = (error: unknown): string => systemCode(error) ?? messageOf(error)

function excluder(patterns: readonly string[]): (name: string) => boolean {
  if (patterns.length === 0) return () => false
  return (name) => {
    const last = name.slice(name.lastIndexOf('/') + 1)
    return patterns.some((pattern) => fitsPattern(pattern, pattern.includes('/') ? name : last))
  }
}

/** proc(5), mountinfo: also what is mounted from the same device, which lstat(2) does not tell. */
export function mountPoints(): ReadonlySet<string> {
  const lines = readFileSync('/proc/self/mountinfo', 'latin1').split('\n')
  return new Set(lines.map((line) => (line.split(' ')[4] ?? '').replace(/\\(\d{3})/g, octalCharacter)))
}

const octalCharacter = (_: string, digits: string): string => String.fromCharCode(Number.parseInt(digits, 8))
