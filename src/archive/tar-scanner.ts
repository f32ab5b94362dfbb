// Finds the entries in the bytes of a tar as they come, and says what each is. Nothing of the data is kept here.
import { blockBytes, damagedTar, isZero, padded, parseHeader, parseRecords, type TarHeader } from './tar-header.ts'

/** An entry as its headers tell of it. */
export interface TarEntry {
  /** `0` a file, `1` a hard link, `2` a symbolic link, `5` a folder; others are devices and the like. */
  readonly type: string
  /** Without the slash that ends a folder's name. */
  readonly name: string
  readonly target: string
  /** Bytes of data in the tar. */
  readonly stored: number
  /** Bytes of the file when it is unpacked; more than are stored where it has holes. */
  readonly size: number
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Nanoseconds since 1970, in decimal. */
  readonly mtime: string
  readonly sparse: boolean
}

/** What hears of entries, one after the other. Bytes are valid during the call alone. */
export interface TarListener {
  /** An entry begins: with these bytes, all its headers. */
  entry(entry: TarEntry, head: Uint8Array): void
  /** Some of its data, in order. */
  data(bytes: Uint8Array): void
  /** It is over; what filled its last block is `padding` bytes of zeros. */
  over(padding: number): void
}

const noRecords: ReadonlyMap<string, string> = new Map()
const [typeAt, extended] = [156, 'x'.charCodeAt(0)]

// Extended attributes have up to 64 KB each (xattr(7)).
const mostOfRecords = 8 << 20

/**
 * Takes a tar apart. Only what netops writes is understood: the POSIX format, with the extensions that GNU tar has for it.
 * Anything else is damage, and so nothing can be read here otherwise than by tar(1).
 */
export class TarScanner {
  readonly #listener: TarListener
  /** What came of headers that are not complete yet. */
  #head = Buffer.allocUnsafe(8 * blockBytes)
  #headBytes = 0
  /** Where in `#head` the header is that is awaited, and how long it must be to go on. */
  #wanted = blockBytes
  #records: ReadonlyMap<string, string> | undefined
  #recordsAt = 0
  #data = 0
  #padding = 0
  #paddingBytes = 0
  #zeros = 0

  constructor(listener: TarListener) {
    this.#listener = listener
  }

  /**
   * Takes the next bytes.
   * @throws NetopsError `damaged`
   */
  push(bytes: Uint8Array): void {
    const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (let at = 0; at < all.length;) {
      if (this.#data > 0) {
        const taken = Math.min(this.#data, all.length - at)
        this.#listener.data(taken === all.length ? all : all.subarray(at, at + taken))
        this.#data -= taken
        at += taken
        if (this.#data === 0 && this.#padding === 0) this.#listener.over(0)
      } else if (this.#padding > 0) {
        const taken = Math.min(this.#padding, all.length - at)
        if (!isZero(all, at, at + taken)) throw damagedTar('what fills a block is not zero')
        this.#padding -= taken
        at += taken
        if (this.#padding === 0) this.#listener.over(this.#paddingBytes)
      } else {
        at += this.#readWhole(all, at) || this.#takeHead(all.subarray(at))
      }
    }
  }

  /**
   * Passes bytes that are known to be data, and what fills the last block, without looking at them.
   * @throws NetopsError `damaged` where an entry begins in them
   */
  skip(bytes: number): void {
    if (bytes > this.#data + this.#padding) throw damagedTar('an entry begins where there should be data')
    const filling = Math.max(0, bytes - this.#data)
    this.#data -= bytes - filling
    this.#padding -= filling
    if (bytes > 0 && this.#data === 0 && this.#padding === 0) this.#listener.over(this.#paddingBytes)
  }

  /** Whether a tar could end here, or be cut: no entry has begun that is not over. */
  get isBetween(): boolean {
    return this.#data === 0 && this.#padding === 0 && this.#headBytes === 0
  }

  /** Whether the two blocks of zeros came that end a tar. */
  get hasEnded(): boolean {
    return this.#zeros >= 2
  }

  /** The common case: all headers of an entry lie there, and are read where they are. @returns their length; 0 otherwise */
  #readWhole(bytes: Buffer, at: number): number {
    if (this.#headBytes > 0 || this.#zeros > 0 || bytes.length - at < blockBytes) return 0
    const type = bytes[at + typeAt]
    if (type !== extended) return this.#beginAt(bytes, at, at)
    const first = parseHeader(bytes, at)
    const from = at + blockBytes
    const to = from + padded(first?.size ?? 0)
    if (first === undefined || first.size === 0 || first.size > mostOfRecords) return 0
    if (to + blockBytes > bytes.length || bytes[to + typeAt] === extended) return 0
    this.#records = parseRecords(bytes.subarray(from, from + first.size))
    return this.#beginAt(bytes, at, to)
  }

  #beginAt(bytes: Buffer, from: number, main: number): number {
    const header = parseHeader(bytes, main)
    if (header === undefined) {
      // The slow way says what is wrong with it, or that it is the end.
      this.#records = undefined
      return 0
    }
    this.#begin(header, bytes.subarray(from, main + blockBytes))
    return main + blockBytes - from
  }

  #takeHead(bytes: Uint8Array): number {
    const taken = Math.min(this.#wanted - this.#headBytes, bytes.length)
    if (this.#head.length < this.#wanted) this.#head = Buffer.concat([this.#head], padded(this.#wanted * 2))
    this.#head.set(bytes.subarray(0, taken), this.#headBytes)
    this.#headBytes += taken
    if (this.#headBytes === this.#wanted) this.#readHead()
    return taken
  }

  #readHead(): void {
    if (this.#recordsAt > 0) {
      const { size } = this.#header(this.#recordsAt - blockBytes)
      this.#records = parseRecords(this.#head.subarray(this.#recordsAt, this.#recordsAt + size))
      this.#recordsAt = 0
      this.#wanted += blockBytes
      return
    }
    const at = this.#wanted - blockBytes
    const header = parseHeader(this.#head.subarray(at, this.#wanted))
    if (header === undefined) {
      if (this.#records !== undefined) throw damagedTar('an extended header has no entry')
      this.#zeros += 1
      this.#reset()
    } else if (this.#zeros > 0) {
      throw damagedTar('something follows its end')
    } else if (header.type === 'x') {
      if (this.#records !== undefined) throw damagedTar('an entry has two extended headers')
      if (header.size > mostOfRecords) throw damagedTar('an extended header is too large')
      this.#recordsAt = this.#wanted
      this.#wanted += padded(header.size)
      if (header.size === 0) this.#readHead()
    } else {
      this.#begin(header, this.#head.subarray(0, this.#wanted))
    }
  }

  #header(at: number): TarHeader {
    const header = parseHeader(this.#head.subarray(at, at + blockBytes))
    if (header === undefined) throw damagedTar('an extended header is missing')
    return header
  }

  #begin(header: TarHeader, head: Uint8Array): void {
    const entry = entryOf(header, this.#records ?? noRecords)
    this.#reset()
    this.#data = entry.stored
    this.#padding = padded(entry.stored) - entry.stored
    this.#paddingBytes = this.#padding
    this.#listener.entry(entry, head)
    if (entry.stored === 0) this.#listener.over(0)
  }

  #reset(): void {
    this.#records = undefined
    this.#headBytes = 0
    this.#wanted = blockBytes
  }
}

// A record that is none of these could give an entry another name, size or meaning.
const harmless =
  /^(?:atime|ctime|uname|gname|SCHILY\.(?:acl\.(?:access|default)|xattr\..+)|RHT\.security\.selinux|GNU\.sparse\.(?:major|minor))$/
const known = new Set(['path', 'linkpath', 'size', 'uid', 'gid', 'mtime', 'GNU.sparse.name', 'GNU.sparse.realsize'])

function entryOf(header: TarHeader, records: ReadonlyMap<string, string>): TarEntry {
  for (const key of records.keys()) {
    if (!known.has(key) && !harmless.test(key))
      throw damagedTar(`an entry has a record ${key}, which is not understood`)
  }
  const sparse = records.has('GNU.sparse.major')
  if (sparse && (records.get('GNU.sparse.major') !== '1' || records.get('GNU.sparse.minor') !== '0')) {
    throw damagedTar('an entry has holes of a version that is not understood')
  }
  if (sparse && header.type !== '0') throw damagedTar('an entry has holes and is no file')
  const name = (sparse ? records.get('GNU.sparse.name') : undefined) ?? records.get('path') ?? header.name
  // POSIX: of links and folders no data follows, whatever the size says.
  const stored = header.type === '0' ? wholeNumber(records.get('size'), header.size) : 0
  if (header.type !== '0' && header.size !== 0) throw damagedTar('an entry that is no file has data')
  return {
    type: header.type,
    name: header.type === '5' ? name.replace(/\/$/, '') : name,
    target: records.get('linkpath') ?? header.target,
    stored,
    size: sparse ? wholeNumber(records.get('GNU.sparse.realsize'), stored) : stored,
    mode: header.mode,
    uid: wholeNumber(records.get('uid'), header.uid),
    gid: wholeNumber(records.get('gid'), header.gid),
    mtime: nanoseconds(records.get('mtime') ?? `${header.mtime}`),
    sparse,
  }
}

function wholeNumber(text: string | undefined, otherwise: number): number {
  const value = text === undefined ? otherwise : /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(value) || value < 0) throw damagedTar('an entry has a number that is none')
  return value
}

/** Seconds with a fraction, as pax has them: `-1.5` is one and a half seconds before 1970. */
function nanoseconds(text: string): string {
  const [, sign = '', whole = '', fraction = ''] = /^(-?)(\d{1,18})(?:\.(\d{1,30}))?$/.exec(text) ?? []
  if (whole === '') throw damagedTar('an entry has a time that is none')
  const padding = fraction.length < 9 ? fraction.padEnd(9, '0') : fraction.slice(0, 9)
  const digits = whole.startsWith('0') ? `${whole}${padding}`.replace(/^0+(?=\d)/, '') : whole + padding
  return digits === '0' ? '0' : `${sign}${digits}`
}
