// What an object in a store may be called: the same in a folder, over SFTP and in S3. Pure.
import { unsafe } from './escape.ts'

// A file's name has at most 255 bytes, and a part of one that is not whole yet stands around it (path_resolution(7)).
const longestPart = 200
// Amazon S3 User Guide, "Naming Amazon S3 objects": 1,024 bytes, of which a prefix takes some.
const longestName = 700

const bytesOf = (text: string): number => Buffer.byteLength(text)

/** Whether something in a text is seen by nobody, or commands whoever shows it. */
const hasUnsafe = (text: string): boolean =>
  [unsafe.c0, unsafe.control, unsafe.hidden].some((pattern) => text.search(pattern) >= 0)

/**
 * Why a name is none that an object may have, for after `expected`; undefined where it may.
 * Names with a dot in front are left to what is not whole yet.
 */
export function faultOfObjectName(name: string): string | undefined {
  if (name === '') return 'a name'
  if (!name.isWellFormed() || hasUnsafe(name)) return 'a name without control characters'
  if (name.startsWith('/')) return 'a name that does not begin with a slash'
  if (name.includes('\\')) return 'a name without a backslash'
  const parts = name.split('/')
  if (parts.includes('')) return 'a name that says each folder once'
  if (parts.some((part) => part.startsWith('.'))) return 'a name no part of which begins with a dot'
  if (bytesOf(name) > longestName || parts.some((part) => bytesOf(part) > longestPart)) {
    return `a name of at most ${longestName} bytes, and ${longestPart} between slashes`
  }
  return undefined
}

/** As {@link faultOfObjectName}, for the beginning of names: it may be empty, or end with a slash. */
export const faultOfPrefix = (prefix: string): string | undefined =>
  prefix === '' ? undefined : faultOfObjectName(prefix.endsWith('/') ? `${prefix}x` : prefix)
