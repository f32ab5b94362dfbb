import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { runsCommand } from '../../../src/model/paths.ts'
import { quoteCommand } from '../../../src/model/quote.ts'
import { putAside } from '../../../src/model/state-text.ts'
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

  // Whoever is told what to do next pastes it as it stands.
  test('is the only way in which a root, a run or a path gets into a command for people', async () => {
    const src = join(import.meta.dirname, '../../../src')
    const files = (await readdir(src, { recursive: true })).filter((name) => name.endsWith('.ts'))
    const bare =
      /(?:--(?:root|run|to|inventory|config) |\bruns (?:resume|undo|follow|show) |\bssh(?:-add|-keygen [^`]*)? |\b(?:mv|rm -rf) -- )\$\{(?!quoteCommand|sshCommand)/
    const found = await Promise.all(
      files.map(async (name) => (bare.test(await readFile(join(src, name), 'utf8')) ? [name] : [])),
    )
    expect(found.flat()).toEqual([])
  })

  test.each([
    [runsCommand('resume', 'r1', '/tmp/a b'), "netops runs resume r1 --root '/tmp/a b'"],
    [runsCommand('undo', 'r1; id', '/'), "netops runs undo 'r1; id'"],
    [runsCommand('follow', 'r1', '/$(id)', '/opt/netops'), "/opt/netops runs follow r1 --root '/$(id)'"],
    [putAside('/tmp/$(id)/run.json'), "put it aside: mv -- '/tmp/$(id)/run.json' '/tmp/$(id)/run.json.aside'"],
  ])('is what people are told: %s', (command, expected) => expect(command).toBe(expected))

  test('cannot hold a NUL byte, which no process can be given', () => {
    expect(() => quoteCommand(['a\0b'])).toThrow('NUL')
  })
})
