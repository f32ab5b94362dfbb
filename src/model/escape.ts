// How characters of others' texts are shown where they themselves must not be.

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0')

/** `\u001b`: as JSON writes it. */
export const unicodeEscape = (character: string): string => `\\u${hex(character.charCodeAt(0), 4)}`

/** `\x1b`: one byte, as shells and C write it. */
export const byteEscape = (byte: number): string => `\\x${hex(byte, 2)}`

// What JSON leaves alone: delete and C1, line and paragraph separators, what has no width, and what reorders text.
const invisible = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g

/** A text with the invisible characters that JSON does not escape as JSON would. */
export const escapeInvisible = (text: string): string => text.replace(invisible, unicodeEscape)

/** The same with the control characters that JSON escapes. */
export const escapeUnseen = (text: string): string =>
  escapeInvisible(text.replace(/[\u0000-\u001f]/g, unicodeEscape))
