// Text for one line of a terminal: without what would move the cursor, measured in columns, and cut where it does not fit.

// East Asian wide and fullwidth characters and emoji (Unicode UAX 11, the blocks that matter in names and messages).
const wide =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}]/u
const joining = /[\p{Mark}\u200b-\u200d]/u
const cutMark = '...'

/** The first line of a text, with blanks for whatever is no character to be seen. */
export const firstLine = (text: string): string =>
  (text.trim().split('\n', 1)[0] ?? '').replaceAll(/\p{Control}+/gu, ' ')

const widthOfOne = (character: string): number => (joining.test(character) ? 0 : wide.test(character) ? 2 : 1)

/** How many columns a text without control characters takes. */
export const widthOf = (text: string): number => Array.from(text, widthOfOne).reduce((width, one) => width + one, 0)

/** A text of at most so many columns, its end replaced by dots if there is more of it. */
export function cut(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text
  const room = Math.max(0, columns - cutMark.length)
  let [kept, width] = ['', 0]
  for (const character of text) {
    width += widthOfOne(character)
    if (width > room) break
    kept += character
  }
  return kept.trimEnd() + cutMark.slice(0, Math.max(0, columns))
}

/** A text of exactly so many columns. */
export function fit(text: string, columns: number): string {
  const kept = cut(text, columns)
  return kept + ' '.repeat(Math.max(0, columns - widthOf(kept)))
}
