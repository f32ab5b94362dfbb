// One JSON document on one line, with nothing in it that commands a terminal.
import { unicodeEscape } from '../../model/escape.ts'

// JSON leaves these as they are, and a terminal may take them for commands.
const left = /[\u007f-\u009f]/g

export const jsonLine = (document: unknown): string => JSON.stringify(document).replace(left, unicodeEscape)
