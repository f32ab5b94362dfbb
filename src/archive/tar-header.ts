// Headers of tar: the POSIX interchange format with pax records (POSIX, pax, "pax Interchange Format"), and what GNU tar adds to
// it: GNU.sparse.* 1.0 and SCHILY.* (GNU tar manual, "Extended headers", "PAX 1"). Pure.
import { NetopsError } from '../model/errors.ts'
import { bytesOf } from './names.ts'

/** Everything in a tar is a whole number of these. */
export const blockBytes = 512

/** Up to the next whole block. */
export const padded = (bytes: number): number => Math.ceil(bytes / blockBytes) * blockBytes

/** Two blocks of zeros end a tar. */
export const endOfTar: Uint8Array = new Uint8Array(2 * blockBytes)

export interface TarHeader {
  /** The letter: `0` a file, `1` a hard link, `2` a symbolic link, `5` a folder, `x` records for the next header. */
  readonly type: string
  /** As it stands there, with the slash that ends a folder's name. */
  readonly name: string
  readonly target: string
  /** Bytes of data that follow. */
  readonly size: number
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Seconds. */
  readonly mtime: number
}

/**
 * Reads a header block.
 * @param from where it begins in the bytes
 * @returns undefined for a block of zeros, which ends a tar
 * @throws NetopsError `damaged` where it is no header of this format, or its checksum is wrong
 */
export function parseHeader(bytes: Buffer, from = 0): TarHeader | undefined {
  if (checksumOf(bytes, from) !== octal(bytes, from + 148, 8)) {
    if (isZero(bytes, from, from + blockBytes)) return undefined
    throw damagedTar('a header has a wrong checksum')
  }
  if (!isMagic(bytes, from + 257)) throw damagedTar('a header is not of the POSIX format')
  const name = cString(bytes, from, 100)
  const type = bytes[from + 156] ?? 0
  return {
    type: types[type] ?? String.fromCharCode(type),
    name: bytes[from + 345] === 0 ? name : `${cString(bytes, from + 345, 155)}/${name}`,
    target: cString(bytes, from + 157, 100),
    size: numberIn(bytes, from + 124, 12),
    mode: octal(bytes, from + 100, 8) & 0o7777,
    uid: numberIn(bytes, from + 108, 8),
    gid: numberIn(bytes, from + 116, 8),
    mtime: numberIn(bytes, from + 136, 12),
  }
}

const types: Readonly<Record<number, string>> = { 0: '0', 48: '0', 49: '1', 50: '2', 53: '5', 120: 'x' }
const magic = Buffer.from('ustar\x0000', 'latin1')

function isMagic(bytes: Uint8Array, from: number): boolean {
  for (let at = 0; at < magic.length; at += 1) if (bytes[from + at] !== magic[at]) return false
  return true
}

/** @returns whether there is nothing but zeros from one byte up to another */
export function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) if (bytes[at] !== 0) return false
  return true
}

const [even, field] = [0x00ff00ff, 148]

/** The sum of all bytes, those of the checksum itself taken as spaces. */
function checksumOf(bytes: Uint8Array, from: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset + from, blockBytes)
  // Four bytes at once, in two pairs of sums of 16 bits: 128 times 510 at most.
  let pairs = 0
  for (let at = 0; at < blockBytes; at += 4) {
    const four = view.getUint32(at)
    pairs += (four & even) + ((four >>> 8) & even)
  }
  let sum = (pairs % 0x10000) + Math.floor(pairs / 0x10000) + 8 * space
  for (let at = field; at < field + 8; at += 1) sum -= view.getUint8(at)
  return sum
}

function cString(block: Buffer, from: number, length: number): string {
  let end = from
  while (end < from + length && block[end] !== 0) end += 1
  return end === from ? '' : block.toString('latin1', from, end)
}

const [space, zero, eight] = [0x20, 0x30, 0x38]

/** Octal digits, after spaces perhaps, up to a space or a zero byte. */
function octal(block: Uint8Array, from: number, length: number): number {
  let at = from
  const end = from + length
  while (at < end && block[at] === space) at += 1
  let value = 0
  for (; at < end; at += 1) {
    const digit = block[at] ?? 0
    if (digit < zero || digit >= eight) break
    value = value * 8 + digit - zero
  }
  for (; at < end; at += 1) {
    if (block[at] !== space && block[at] !== 0) throw damagedTar('a header has a number that is none')
  }
  return value
}

/** GNU tar writes what has no place in octal digits as a binary number, most significant byte first, with the first bit set. */
function numberIn(block: Buffer, from: number, length: number): number {
  const first = block[from] ?? 0
  if (first < 0x80) return octal(block, from, length)
  if (first !== 0x80 && first !== 0xff) throw damagedTar('a header has a number that is too large')
  return first === 0xff ? block.readIntBE(from + length - 6, 6) : block.readUIntBE(from + length - 6, 6)
}

export const damagedTar = (what: string): NetopsError =>
  new NetopsError('damaged', { message: `the tar inside is damaged: ${what}` })

/**
 * Reads pax records: `LENGTH KEY=VALUE\n` each, where the value may hold any bytes.
 * @returns the values by key, one character a byte; where a key stands twice, the last
 * @throws NetopsError `damaged` where they are none
 */
export function parseRecords(bytes: Buffer): ReadonlyMap<string, string> {
  const text = bytes.toString('latin1')
  const records = new Map<string, string>()
  for (let at = 0; at < text.length;) {
    let length = 0
    let after = at
    for (let digit = digitAt(text, after); digit >= 0 && after < at + mostDigits; digit = digitAt(text, after)) {
      length = length * 10 + digit
      after += 1
    }
    const equals = text.indexOf('=', after)
    const end = at + length
    const isRecord =
      after > at && text[at] !== '0' && text[after] === ' ' && end <= text.length && text[end - 1] === '\n'
    if (!isRecord || equals < 0 || equals >= end) throw damagedTar('an extended header has a record that is none')
    records.set(text.slice(after + 1, equals), text.slice(equals + 1, end - 1))
    at = end
  }
  return records
}

const mostDigits = 10

function digitAt(text: string, at: number): number {
  const digit = text.charCodeAt(at) - zero
  return digit >= 0 && digit <= 9 ? digit : -1
}

/** @returns a pax record, with its own length in front */
export function recordOf(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`
  let length = rest.length
  while (`${length}`.length + rest.length !== length) length = `${length}`.length + rest.length
  return `${length}${rest}`
}

const simpleName = /^[\x01-\x7f]{1,100}$/

/** What {@link headerOf} makes a header of. */
export interface HeaderFields extends Omit<TarHeader, 'size'> {
  readonly size?: number
  /** More pax records. */
  readonly records?: readonly (readonly [string, string])[]
}

/**
 * Makes the header of an entry, after a pax header where its names have no place in it.
 * @returns whole blocks
 */
export function headerOf(fields: HeaderFields): Buffer {
  const { name, target, records = [] } = fields
  const long = [
    ...records,
    ...(simpleName.test(name) ? [] : [['path', name] as const]),
    ...(target === '' || simpleName.test(target) ? [] : [['linkpath', target] as const]),
  ]
  const main = block({ ...fields, size: fields.size ?? 0 })
  if (long.length === 0) return main
  const body = bytesOf(long.map(([key, value]) => recordOf(key, value)).join(''))
  const head = block({ ...fields, type: 'x', name: 'PaxHeaders', target: '', size: body.length })
  return Buffer.concat([head, body, Buffer.alloc(padded(body.length) - body.length), main])
}

function block(header: TarHeader): Buffer {
  const { name, target, size, mode, uid, gid, mtime } = header
  const made = Buffer.alloc(blockBytes)
  made.write(name.slice(0, 100), 0, 'latin1')
  number(made, mode, { at: 100, length: 8 })
  number(made, uid, { at: 108, length: 8 })
  number(made, gid, { at: 116, length: 8 })
  number(made, size, { at: 124, length: 12 })
  number(made, mtime, { at: 136, length: 12 })
  made.write(header.type, 156, 'latin1')
  made.write(target.slice(0, 100), 157, 'latin1')
  made.write('ustar\x0000', 257, 'latin1')
  made.write(`${checksumOf(made, 0).toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return made
}

function number(made: Buffer, value: number, { at, length }: { readonly at: number; readonly length: number }): void {
  const digits = value.toString(8)
  if (value >= 0 && digits.length < length) {
    made.write(digits.padStart(length - 1, '0'), at, 'latin1')
    return
  }
  made.fill(value < 0 ? 0xff : 0, at, at + length)
  made[at] = value < 0 ? 0xff : 0x80
  made.writeIntBE(value, at + length - 6, 6)
}
