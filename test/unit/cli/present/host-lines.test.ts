import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { requireCommand } from '../../../../src/fleet/exec-on-hosts.ts'
import { HostLines, prefixes } from '../../../../src/cli/present/host-lines.ts'
import { shownLine } from '../../../../src/model/escape.ts'
import { LineCutter } from '../../../../src/system/line-cutter.ts'
import { KeptOutput } from '../../../../src/cli/present/kept-output.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1')
const text = (lines: readonly Uint8Array[]): string[] => lines.map((line) => Buffer.from(line).toString('latin1'))

describe('lines are cut', () => {
  test('the same however the bytes come, and none is lost', () => {
    const chunks = fc.array(
      fc.uint8Array({ maxLength: 20 }).map((all) => all.map((byte) => (byte % 4 === 0 ? 10 : byte))),
    )
    fc.assert(
      fc.property(chunks, (given) => {
        const cutter = new LineCutter()
        const lines = [...given.flatMap((chunk) => cutter.push(chunk)), ...cutter.end()]
        const whole = Buffer.concat(given)
        const expected = text([whole])[0]?.split('\n') ?? []
        if (expected.at(-1) === '') expected.pop()
        expect(text(lines)).toEqual(expected)
      }),
    )
  })

  test('a line without an end comes in pieces', () => {
    const cutter = new LineCutter()
    const lines = cutter.push(Buffer.alloc(200_000, 'x'))
    expect(lines.map(({ length }) => length)).toEqual([65_536, 65_536, 65_536])
    expect(cutter.end().map(({ length }) => length)).toEqual([200_000 - 3 * 65_536])
  })

  test('also when the bytes are used again by whoever gave them', () => {
    const cutter = new LineCutter()
    const buffer = Buffer.from('ab')
    cutter.push(buffer)
    buffer.fill('x')
    expect(text(cutter.push(bytes('c\n')))).toEqual(['abc'])
  })
})

describe('on a terminal', () => {
  test.each([
    ['plain\ttext ü 漢 🙂', 'plain\ttext ü 漢 🙂'],
    ['\u001b[2Jgone', '\\x1b[2Jgone'],
    ['\u001b]0;title\u0007', '\\x1b]0;title\\x07'],
    ['over\rwritten\u0000\u007f', 'over\\x0dwritten\\x00\\x7f'],
    ['\u009b31m', '\\x9b31m'],
    ['\u202etxt.exe', '\\u202etxt.exe'],
  ])('%j is shown as %s', (line, shown) => {
    expect(shownLine(Buffer.from(line))).toBe(shown)
  })

  test('bytes that are no text are shown as what they are, the text around them as text', () => {
    expect(shownLine(Buffer.concat([Buffer.from('ü'), bytes('\xff\x9b\xc3'), Buffer.from('漢z')]))).toBe(
      'ü\\xff\\x9b\\xc3漢z',
    )
  })

  test('nothing that comes from a host can command it', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (line) => {
        const forbidden = Array.from(shownLine(line)).filter((one) => one !== '\t' && /\p{Cc}/u.test(one))
        expect(forbidden).toEqual([])
      }),
    )
  })
})

test('prefixes are as long as the longest name, and coloured only where that is wanted', () => {
  expect([...prefixes(['web1', 'db'], false).values()]).toEqual(['web1 | ', 'db   | '])
  expect([...prefixes(['web1', 'db'], true).values()]).toEqual([
    '\u001b[36mweb1\u001b[39m | ',
    '\u001b[32mdb  \u001b[39m | ',
  ])
})

test('lines go through a pipe byte for byte, and on a terminal made harmless', async () => {
  const written: Uint8Array[] = []
  const write = (some: Uint8Array): Promise<void> => Promise.resolve(void written.push(some))
  for (const terminal of [false, true]) {
    await new HostLines({ terminal, color: false, write }, ['web1', 'db']).write('db', [bytes('a\xff\x1b'), bytes('b')])
  }
  expect(text(written)).toEqual(['db   | a\xff\x1b\ndb   | b\n', 'db   | a\\xff\\x1b\ndb   | b\n'])
})

test('of output only so much is kept, for both streams together, and the rest is counted', () => {
  const kept = new KeptOutput(5)
  kept.push('stdout', bytes('abc'))
  kept.push('stderr', bytes('def'))
  kept.push('stdout', bytes('ghij'))
  expect([kept.text('stdout'), kept.text('stderr')]).toEqual(['abc\n(4 more bytes)\n', 'de\n(1 more bytes)\n'])
})

describe('a command', () => {
  test.each([[['uptime']], [['sh', '-c', 'a | b']], [['a b', 'c']]])('%j is one', (argv) => {
    expect(() => requireCommand(argv)).not.toThrow()
  })

  test('given as one word with spaces is refused with what was probably meant', () => {
    expect(() => requireCommand(["echo 'hi'"])).toThrow(
      expect.objectContaining({ code: 'usage', hint: expect.stringContaining("sh -c 'echo '\\''hi'\\'''") as unknown }),
    )
    expect(() => requireCommand([])).toThrow(expect.objectContaining({ code: 'usage' }))
  })
})
