// What an archive knows of each entry, and how it stands in the index: one line of JSON an entry. Pure.
import { NetopsError } from '../model/errors.ts'

/** A regular file, a folder, a symbolic link, or another name of a file that comes before. */
export type EntryKind = 'file' | 'folder' | 'link' | 'hardlink'

/** An entry as lstat(2) tells of it. Times are nanoseconds since 1970, in decimal. */
export interface Seen {
  readonly name: string
  readonly kind: EntryKind
  /** Bytes; 0 for all but files. */
  readonly size: number
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly mtime: string
  readonly ctime: string
  readonly inode: string
  readonly device: string
  /** Of a hard link: the name that comes first. */
  readonly target?: string | undefined
  /** False where it was changed so lately that a further change need not show in its times. */
  readonly settled: boolean
}

/** An entry as it lies in an archive. */
export interface Entry extends Seen {
  /** Of a file: SHA-256 of its data as 64 hexadecimal digits; of a sparse one, of the map of its parts and these. */
  readonly sha256?: string | undefined
  readonly sparse?: true | undefined
}

const letters = { file: 'f', folder: 'd', link: 'l', hardlink: 'h' } as const
const kinds: Readonly<Record<string, EntryKind>> = { f: 'file', d: 'folder', l: 'link', h: 'hardlink' }

/**
 * The beginning of an entry's line, which lstat(2) alone decides. An entry is as it was when the line of the last archive begins
 * so: its times, its inode, all that it holds. One that was not settled has another beginning.
 */
export function lineStart(seen: Seen, settled = seen.settled): string {
  const { kind, name, size, mode, uid, gid, mtime, ctime, inode, device, target } = seen
  const start = `["${letters[kind]}",${settled ? 1 : 0},${JSON.stringify(name)},${size},${mode},${uid},${gid},"${mtime}","${ctime}","${inode}","${device}"`
  return kind === 'hardlink' ? `${start},${JSON.stringify(target ?? '')}` : start
}

/** @returns an entry's line, without a line break */
export function lineOf(entry: Entry): string {
  const start = lineStart(entry)
  if (entry.kind === 'link') return `${start},${JSON.stringify(entry.target ?? '')}]`
  if (entry.kind !== 'file') return `${start}]`
  const sum = Buffer.from(entry.sha256 ?? '', 'hex').toString('base64url')
  return `${start},"${sum}"${entry.sparse === true ? ',"sparse"' : ''}]`
}

const sha256Text = /^[\w-]{43}$/
const decimal = /^-?\d{1,30}$/
const isCount = (value: unknown, most: number): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= most
const isDecimal = (value: unknown): value is string => typeof value === 'string' && decimal.test(value)
const mostId = 2 ** 32 - 1

/**
 * Reads an entry's line.
 * @throws NetopsError `damaged` where it is none
 */
export function entryOf(line: string): Entry {
  const { seen, detail, sparse } = fieldsOf(line)
  if (seen.kind === 'folder') return seen
  if (typeof detail !== 'string') throw damagedLine(line)
  if (seen.kind !== 'file') return { ...seen, target: detail }
  if (!sha256Text.test(detail)) throw damagedLine(line)
  const sha256 = Buffer.from(detail, 'base64url').toString('hex')
  return sparse === 'sparse' ? { ...seen, sha256, sparse: true } : { ...seen, sha256 }
}

/**
 * Reads the beginning of an entry's line, with a bracket that ends it.
 * @throws NetopsError `damaged` where it is none
 */
export function seenOf(line: string): Seen {
  const { seen, detail } = fieldsOf(line)
  return typeof detail === 'string' ? { ...seen, target: detail } : seen
}

function fieldsOf(line: string): { readonly seen: Seen; readonly detail: unknown; readonly sparse: unknown } {
  const fields = jsonOf(line)
  if (!Array.isArray(fields)) throw damagedLine(line)
  const [letter, settled, name, size, mode, uid, gid, mtime, ctime, inode, device, detail, sparse] = fields as unknown[]
  const kind = typeof letter === 'string' ? kinds[letter] : undefined
  if (kind === undefined || (settled !== 0 && settled !== 1)) throw damagedLine(line)
  if (typeof name !== 'string' || !isCount(size, Number.MAX_SAFE_INTEGER)) throw damagedLine(line)
  if (!isCount(mode, 0o7777) || !isCount(uid, mostId) || !isCount(gid, mostId)) throw damagedLine(line)
  if (!isDecimal(mtime) || !isDecimal(ctime) || !isDecimal(inode) || !isDecimal(device)) throw damagedLine(line)
  const seen = { name, kind, size, mode, uid, gid, mtime, ctime, inode, device, settled: settled === 1 }
  return { seen, detail, sparse }
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    throw damagedLine(line)
  }
}

const damagedLine = (line: string): NetopsError =>
  new NetopsError('damaged', { message: `the index holds a line that is no entry: ${line.slice(0, 80)}` })

/** What an entry takes in the archive before compression: about, for the header's length is known once it is written. */
export const roughBytes = ({ size }: Pick<Seen, 'size'>): number => 1536 + Math.ceil(size / 512) * 512
