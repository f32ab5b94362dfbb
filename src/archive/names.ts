// Names of files are bytes, and not always UTF-8. Here a name is a string of one character a byte (latin1): exact, small, and
// in the order of its bytes. Pure.

const beyondAscii = /[^\0-\x7f]/

/** @returns a name as the file system takes it: text where that is the same, else its bytes */
export const pathOf = (name: string): string | Buffer => (beyondAscii.test(name) ? bytesOf(name) : name)

/** @returns the bytes of a name */
export const bytesOf = (name: string): Buffer => Buffer.from(name, 'latin1')

/** @returns the name whose bytes are those of a text in UTF-8, as people write it */
export const nameOfText = (text: string): string => Buffer.from(text, 'utf8').toString('latin1')

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** @returns a name for people: as text where it is UTF-8 without control characters, else with `\n` and `\xff` in the place of bytes */
export function shownName(name: string): string {
  try {
    return escapeControls(beyondAscii.test(name) ? utf8.decode(bytesOf(name)) : name)
  } catch {
    // It is not UTF-8: each byte for itself.
    return escapeControls(name).replace(/[\x80-\xff]/g, hexOf)
  }
}

const hexOf = (character: string): string => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`

const escapeControls = (text: string): string =>
  text.replace(/[\0-\x1f\x7f\\]/g, (found) => (found === '\\' ? '\\\\' : found === '\n' ? '\\n' : hexOf(found)))

const slash = 0x2f

/**
 * The order of everything here: by bytes, with the slash before all others, so that what a folder holds follows it at once.
 * @returns less than 0 where the first name comes first, 0 where they are equal
 */
export function compareNames(a: string, b: string): number {
  const shared = Math.min(a.length, b.length)
  for (let at = 0; at < shared; at += 1) {
    const [left, right] = [a.charCodeAt(at), b.charCodeAt(at)]
    if (left !== right) return (left === slash ? 0 : left) - (right === slash ? 0 : right)
  }
  return a.length - b.length
}

/** @returns whether a name is another one, or lies below it */
export const isWithin = (name: string, top: string): boolean =>
  top === '' || (name.startsWith(top) && (name.length === top.length || name.charCodeAt(top.length) === slash))

/** @returns the folder in which a name lies; empty for one that lies in none */
export const folderOf = (name: string): string => name.slice(0, Math.max(0, name.lastIndexOf('/')))
