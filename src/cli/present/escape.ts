// What comes from outside, as a terminal may show it: no byte of it commands the terminal or reorders what stands there.
import { stripVTControlCharacters } from 'node:util'
import { byteEscape, unicodeEscape } from '../../model/escape.ts'

// C0 without tab, delete, and C1; then those that reorder what is shown.
const control = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g
const reordering = /[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** A line as a terminal may show it: `\x1b` for an escape, `\xff` for a byte that is no text. */
export function shownLine(line: Uint8Array): string {
  return wellFormedParts(line)
    .map((part) => (typeof part === 'number' ? byteEscape(part) : shownText(part)))
    .join('')
}

/** A text as a terminal may show it. */
export const shownText = (text: string): string =>
  text.replace(control, (character) => byteEscape(character.charCodeAt(0))).replace(reordering, unicodeEscape)

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

// JSON leaves these as they are, and a terminal may take them for commands.
const leftByJson = /[\u007f-\u009f]/g

/** A document on one line. */
export const jsonLine = (document: unknown): string => JSON.stringify(document).replace(leftByJson, unicodeEscape)

// They turn the direction of writing. Not those that join: one emoji may be made of several, and so are letters.
const invisible = /[\p{Format}--[\p{Join_Control}\u{e0020}-\u{e007f}]]/gv

/** The first line of a text, without what would move the cursor or colour it. */
export function firstLine(text: string): string {
  const [line = ''] = stripVTControlCharacters(text).trim().split('\n', 1)
  return line
    .replaceAll(/\p{Control}+/gu, ' ')
    .replaceAll(invisible, '')
    .trim()
}
