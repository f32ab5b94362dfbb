// Bytes that a host prints: whatever they are, a terminal gets text alone.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { shownLine } from '../../src/model/escape.ts'
import { fuzz } from '../support/fuzz.ts'

const commands = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/

/** Text, bytes that are none, and what terminals take for commands, in any mixture. */
const hostile = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 12 }),
      fc.string({ unit: 'binary', maxLength: 12 }).map((text) => Buffer.from(text)),
      fc
        .constantFrom('\u001b[2J', '\u001b]0;title\u0007', '\u009b1m', '\u202e', '\u2028', '\r', '\u0000')
        .map((text) => Buffer.from(text)),
    ),
    { maxLength: 12 },
  )
  .map((pieces) => Buffer.concat(pieces))

test('a line of a host is shown without anything that commands a terminal', async () => {
  await fuzz(hostile, 2000, (line) => expect(shownLine(line)).not.toMatch(commands))
})
