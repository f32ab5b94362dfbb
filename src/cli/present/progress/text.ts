// Text for one line of a terminal: without what would move the cursor, measured in columns, and cut where it does not fit.
import { stripVTControlCharacters } from 'node:util'
import stringWidth from 'fast-string-width'
import { unsafe, withoutHidden } from '../../../model/escape.ts'

const cutMark = '...'
/** The first line of a text, without what would move the cursor or colour it. */
export function firstLine(text: string): string {
  const [line = ''] = stripVTControlCharacters(text).trim().split('\n', 1)
  return withoutHidden(line.replaceAll(unsafe.controls, ' ')).trim()
}

/** How many columns a text takes; colours take none. */
export const widthOf = (text: string): number => stringWidth(text)

// Made when it is first needed: that takes 8 ms.
let segmenter: Intl.Segmenter | undefined
/** What a reader takes for one character, however many code points it is: an emoji in parts, a letter with its marks. */
function charactersOf(text: string): readonly string[] {
  if (/^[ -~]*$/.test(text)) return Array.from(text)
  segmenter ??= new Intl.Segmenter()
  return Array.from(segmenter.segment(text), ({ segment }) => segment)
}

/** As many of the first characters as fit. */
function fitting(characters: readonly string[], columns: number): readonly string[] {
  let width = 0
  const tooMany = characters.findIndex((character) => (width += widthOf(character)) > columns)
  return tooMany === -1 ? characters : characters.slice(0, tooMany)
}

/** A text of at most so many columns, its end replaced by dots if there is more of it. */
export function cut(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text
  return (
    fitting(charactersOf(text), columns - cutMark.length)
      .join('')
      .trimEnd() + cutMark.slice(0, Math.max(0, columns))
  )
}

/** The same with the dots in the middle: hosts often differ only at the ends of their names. */
export function cutMiddle(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text
  const fromTheEnd = charactersOf(text).toReversed()
  const end = fitting(fromTheEnd, Math.floor((columns - cutMark.length) / 2))
    .toReversed()
    .join('')
  return `${cut(text, columns - widthOf(end))}${end}`
}

/** A text followed by blanks up to so many columns. */
export const pad = (text: string, columns: number): string => text + ' '.repeat(Math.max(0, columns - widthOf(text)))
