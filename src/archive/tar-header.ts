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
 * @returns undefined for a block of zeros, which ends a tar
 * @throws NetopsError `damaged` where it is no header of this format, or its checksum is wrong
 */
export function parseHeader(block: Buffer): TarHeader | undefined {
  if (checksumOf(block) !== octal(block, 148, 8)) {
    if (isZero(block)) return undefined
    throw damagedTar('a header has a wrong checksum')
  }
  if (block.toString('latin1', 257, 265) !== 'ustar\x0000') throw damagedTar('a header is not of the POSIX format')
  const prefix = cString(block, 345, 155)
  const name = cString(block, 0, 100)
  const type = block[156] ?? 0
  return {
    type: type === 0 ? '0' : String.fromCharCode(type),
    name: prefix === '' ? name : `${prefix}/${name}`,
    target: cString(block, 157, 100),
    size: numberIn(block, 124, 12),
    mode: octal(block, 100, 8) & 0o7777,
    uid: numberIn(block, 108, 8),
    gid: numberIn(block, 116, 8),
    mtime: numberIn(block, 136, 12),
  }
}

const isZero = (block: Uint8Array): boolean => block.every((byte) => byte === 0)

function checksumOf(block: Uint8Array): number {
  let sum = 8 * 0x20
  for (let at = 0; at < blockBytes; at += 1) sum += block[at] ?? 0
  for (let at = 148; at < 156; at += 1) sum -= block[at] ?? 0
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
    const space = text.indexOf(' ', at)
    const digits = text.slice(at, space < 0 ? at : space)
    const length = /^[1-9]\d{0,9}$/.test(digits) ? Number(digits) : 0
    const equals = text.indexOf('=', space)
    const end = at + length
    if (length === 0 || end > text.length || text[end - 1] !== '\n' || equals < 0 || equals >= end) {
      throw damagedTar('an extended header has a record that is none')
    }
    records.set(text.slice(space + 1, equals), text.slice(equals + 1, end - 1))
    at = end
  }
  return records
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
  made.write(`${checksumOf(made).toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
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
