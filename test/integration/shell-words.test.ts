// What goes to a shell as text: whatever the words hold, a real shell reads the same ones.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { loginLine } from '../../src/drivers/hosts/login-shell.ts'
import { quoteCommand } from '../../src/model/quote.ts'
import { exec, execText } from '../../src/system/exec.ts'

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

test('a quoted command is read back by a shell as the same words, whatever they hold', async () => {
  const commands = fc.array(fc.array(fc.oneof(text, odd), { minLength: 1 }), { minLength: 1 })
  await fc.assert(
    fc.asyncProperty(commands, async (lists) => {
      expect(await readByShell(lists)).toEqual(lists)
    }),
    { numRuns: 60 },
  )
})

test.each([
  ['a program', '\0', (words: readonly string[]) => ['printf', '%s\\0', ...words]],
  ['a script', '\0', (words: readonly string[]) => ['sh', '-c', 'printf "%s\\0" "$@"', 'sh', ...words]],
  ['a script that needs no care', '|', (words: readonly string[]) => ['sh', '-c', 'printf "%s|" "$@"', 'sh', ...words]],
])('whatever the words of %s are, a shell reads them back unchanged, after the mark', async (_, end, argv) => {
  const word = fc.string({ unit: 'binary' }).filter((text) => !text.includes('\0') && text.isWellFormed())
  await fc.assert(
    fc.asyncProperty(fc.array(word, { maxLength: 5 }), async (words) => {
      const { stdout } = await exec(['sh', '-c', loginLine(argv(words))])
      const expected = words.length === 0 ? end : words.map((one) => `${one}${end}`).join('')
      expect(stdout.replace(/^netops-command \d+\n/, '')).toBe(expected)
    }),
    { numRuns: 40 },
  )
})
