// How single characters of others' texts are shown where they themselves must not be.

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0')

/** `\u001b`: as JSON writes it. */
export const unicodeEscape = (character: string): string => `\\u${hex(character.charCodeAt(0), 4)}`

/** `\x1b`: a byte, as shells and C write it. */
export const byteEscape = (byte: number): string => `\\x${hex(byte, 2)}`
