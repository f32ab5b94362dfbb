// Text for one line of a terminal: without what would move the cursor, measured in columns, and cut where it does not fit.
import { stripVTControlCharacters } from 'node:util'

// East Asian wide and fullwidth characters and emoji (Unicode UAX 11, the blocks that matter in names and messages).
const wide =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}]/u
const joining = /[\p{Mark}\u200b-\u200d]/u
const cutMark = '...'

/** The first line of a text, without what would move the cursor or colour it. */
export function firstLine(text: string): string {
  const [line = ''] = stripVTControlCharacters(text).trim().split('\n', 1)
  return line.replaceAll(/\p{Control}+/gu, ' ').trim()
}

const widthOfOne = (character: string): number => (joining.test(character) ? 0 : wide.test(character) ? 2 : 1)

/** How many columns a text without control characters takes. */
export const widthOf = (text: string): number => Array.from(text, widthOfOne).reduce((width, one) => width + one, 0)

/** As many characters from the start of a text as fit. */
function startOf(text: string, columns: number): string {
  let [kept, width] = ['', 0]
  for (const character of text) {
    width += widthOfOne(character)
    if (width > columns) break
    kept += character
  }
  return kept
}

const reversed = (text: string): string => Array.from(text).reverse().join('')

/** A text of at most so many columns, its end replaced by dots if there is more of it. */
export function cut(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text
  return startOf(text, columns - cutMark.length).trimEnd() + cutMark.slice(0, Math.max(0, columns))
}

/** The same with the dots in the middle: hosts often differ only at the ends of their names. */
export function cutMiddle(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text
  const end = reversed(startOf(reversed(text), Math.floor((columns - cutMark.length) / 2)))
  return `${cut(text, columns - widthOf(end))}${end}`
}

/** A text followed by blanks up to so many columns. */
export const pad = (text: string, columns: number): string => text + ' '.repeat(Math.max(0, columns - widthOf(text)))
