// The one way in which text from outside is made safe to show: each character that commands a terminal or reorders what it
// shows stands there by its number. Pure.

/**
 * What is escaped. `control`: C0 but for the tab, delete, C1. `hidden`: what nobody sees, because it turns the direction of
 * writing, separates lines or takes no room. Not what joins letters or emoji, and not the marks of Arabic and Syriac, which
 * have a shape; a flag of a region is an emoji with tags behind it, and matches as a whole.
 */
export const unsafe = {
  control: /[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g,
  hidden:
    /\u{1f3f4}[\u{e0020}-\u{e007e}]{1,8}\u{e007f}|[[\p{Format}\u2028\u2029]--[\p{Join_Control}\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\u{110bd}\u{110cd}]]/gv,
  /** What JSON leaves as it is: delete and C1, separators, and all that nobody sees. */
  inJson: /[\u007f-\u009f\u2028\u2029\p{Format}]/gv,
  c0: /[\u0000-\u001f]/g,
  controls: /\p{Control}+/gu,
} as const

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0')

/** `\u001b`, as JSON and YAML write it; `\udb40\udc41` where it takes two of their characters. */
export const byUnicode = (character: string): string =>
  Array.from({ length: character.length }, (_, at) => `\\u${hex(character.charCodeAt(at), 4)}`).join('')

/** `\x1b`, as terminals' manuals write it. */
const byHex = (value: number): string => `\\x${hex(value, 2)}`

const isFlag = (found: string): boolean => found.startsWith('\u{1f3f4}')

/** A text without what nobody sees. */
export const withoutHidden = (text: string): string =>
  text.replace(unsafe.hidden, (found) => (isFlag(found) ? found : ''))

// Most texts: quicker to see than to look for what they do not hold.
const harmless = /^[\t -~]*$/
const harmlessLines = /^[\t\n -~]*$/

/** A text as a terminal may show it, on one line: `\x1b` for an escape, `\x0a` for an end of line. */
export const shownText = (text: string): string =>
  harmless.test(text)
    ? text
    : text
        .replace(unsafe.control, (character) => byHex(character.charCodeAt(0)))
        .replace(unsafe.hidden, (found) => (isFlag(found) ? found : byUnicode(found)))

/** As {@link shownText}, for a text whose ends of lines are meant. */
export const shownLines = (text: string): string =>
  harmlessLines.test(text) ? text : text.split('\n').map(shownText).join('\n')

/** One line of JSON that a terminal may show: it means the same. */
export const shownJson = (value: unknown): string => JSON.stringify(value).replace(unsafe.inJson, byUnicode)

/** Bytes as a terminal may show them: `\x1b` for an escape, `\xff` for a byte that is no text. */
export const shownLine = (line: Uint8Array): string =>
  wellFormedParts(line)
    .map((part) => (typeof part === 'number' ? byHex(part) : shownText(part)))
    .join('')

/** Text, and between it the bytes that are none. */
function wellFormedParts(line: Uint8Array): readonly (string | number)[] {
  const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  try {
    return [strict.decode(line)]
  } catch {
    // Not all of it is text: character by character.
  }
  const parts: (string | number)[] = []
  for (let at = 0; at < line.length;) {
    const first = line[at] ?? 0
    const length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2
    try {
      parts.push(strict.decode(line.subarray(at, at + length)))
      at += length
    } catch {
      parts.push(first)
      at += 1
    }
  }
  return parts
}
