// The one way in which text from outside is made safe to show: each character that commands a terminal or reorders what it
// shows stands there by its number. Pure.

/** What is escaped. `control`: C0 but for the tab, delete, C1. `reordering`: those that turn the direction of writing. */
export const unsafe = {
  control: /[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g,
  reordering: /[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
  /** What JSON leaves as it is: C1, separators, and all that is invisible or reorders. */
  inJson: /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
  /** What JSON leaves as it is and a terminal may take for a command. */
  c1: /[\u007f-\u009f]/g,
  c0: /[\u0000-\u001f]/g,
  controls: /\p{Control}+/gu,
  /** They turn the direction of writing. Not those that join: one emoji may be made of several, and so are letters. */
  format: /[\p{Format}--[\p{Join_Control}\u{e0020}-\u{e007f}]]/gv,
} as const

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0')

/** `\u001b`, as JSON and YAML write it. */
export const byUnicode = (character: string): string => `\\u${hex(character.charCodeAt(0), 4)}`

/** `\x1b`, as terminals' manuals write it. */
const byHex = (value: number): string => `\\x${hex(value, 2)}`

/** A text as a terminal may show it: `\x1b` for an escape. */
export const shownText = (text: string): string =>
  text.replace(unsafe.control, (character) => byHex(character.charCodeAt(0))).replace(unsafe.reordering, byUnicode)

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
