import fc from 'fast-check'
import { expect, test } from 'vitest'
import { loginLine } from '../../../../src/drivers/hosts/login-shell.ts'
import { exec } from '../../../../src/system/exec.ts'

test('a plain command is passed on as words', () => {
  expect(loginLine(['cat', '--', '/etc/os release'])).toBe(
    `exec /bin/sh -c 'echo netops-command $$;exec "$@"' sh cat -- '/etc/os release'`,
  )
})

test('a script for sh is run by the shell that is there anyway, unless its text needs care', () => {
  expect(loginLine(['sh', '-c', 'cat "$1"; exec "$@"', 'look', '/etc/os release'])).toBe(
    `exec /bin/sh -c 'echo netops-command $$;cat "$1"; exec "$@"' look '/etc/os release'`,
  )
  expect(loginLine(['sh', '-c', 'echo $0'])).toBe(`exec /bin/sh -c 'echo netops-command $$;echo $0' sh`)
  for (const script of ["echo 'a b'", 'test ! -e /x', 'echo a\\b', 'echo a\necho b']) {
    expect(loginLine(['sh', '-c', script])).not.toContain(`$$;${script}`)
  }
  expect(() => loginLine(['sh', '-c', 'echo \0'])).toThrow(/NUL/)
})

test('nothing that csh or fish would read by itself is left in a line', () => {
  const line = loginLine(['printf', '%s', "it's\n!$1\\"])
  expect(line.replace(/'[^']*'/g, '')).not.toMatch(/[^A-Za-z0-9 /-]/)
  expect(line).not.toMatch(/[\n!]/)
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
