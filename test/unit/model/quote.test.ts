import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { quoteCommand } from '../../../src/model/quote.ts'
import { execText } from '../../../src/system/exec.ts'

/** What a POSIX shell reads from each line, one list of words a line. */
async function readByShell(commands: readonly (readonly string[])[]): Promise<string[][]> {
  // After each command's words comes one that no command holds.
  const script = commands.map((words) => `printf '%s\\0' ${quoteCommand(words)} '<end of words>'`).join('\n')
  const words = (await execText(['sh'], { stdin: { text: script } })).split('\0').slice(0, -1)
  const lists: string[][] = [[]]
  for (const word of words) {
    if (word === '<end of words>') lists.push([])
    else lists.at(-1)?.push(word)
  }
  return lists.slice(0, -1)
}

const text = fc.string({ unit: 'binary' }).filter((word) => !word.includes('\0'))
const odd = fc.string({ unit: fc.constantFrom(...Array.from(`'"\\$\`!*?[]{}()<>|&;#~= \t\n\r-aü`)) })

describe('a quoted command', () => {
  test('is read back by a shell as the same words, whatever they hold', async () => {
    const commands = fc.array(fc.array(fc.oneof(text, odd), { minLength: 1 }), { minLength: 1 })
    await fc.assert(
      fc.asyncProperty(commands, async (lists) => {
        expect(await readByShell(lists)).toEqual(lists)
      }),
      { numRuns: 60 },
    )
  })

  test.each([
    [['systemctl', 'stop', 'network_service'], 'systemctl stop network_service'],
    [['install', '-m', '0644', '/etc/a b'], "install -m 0644 '/etc/a b'"],
    [["it's", ''], "'it'\\''s' ''"],
    [['~root', '#', '$(id)', 'a=b'], "'~root' '#' '$(id)' a=b"],
  ])('stays readable: %j', (argv, line) => {
    expect(quoteCommand(argv)).toBe(line)
  })

  test('cannot hold a NUL byte, which no process can be given', () => {
    expect(() => quoteCommand(['a\0b'])).toThrow('NUL')
  })
})
