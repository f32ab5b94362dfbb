import fc from 'fast-check'
import { expect, test } from 'vitest'
import { loginLine } from '../../../../src/drivers/hosts/login-shell.ts'
import { exec } from '../../../../src/system/exec.ts'

test('a plain command is passed on as words', () => {
  expect(loginLine(['cat', '--', '/etc/os release'])).toBe(
    `exec /bin/sh -c 'echo netops-command $$;exec "$@"' sh cat -- '/etc/os release'`,
  )
})

test('nothing that csh or fish would read by itself is left in a line', () => {
  const line = loginLine(['printf', '%s', "it's\n!$1\\"])
  expect(line.replace(/'[^']*'/g, '')).not.toMatch(/[^A-Za-z0-9 /-]/)
  expect(line).not.toMatch(/[\n!]/)
})

test('whatever the words are, a shell reads them back unchanged, after the mark', async () => {
  const word = fc.string({ unit: 'binary' }).filter((text) => !text.includes('\0') && text.isWellFormed())
  await fc.assert(
    fc.asyncProperty(fc.array(word, { maxLength: 5 }), async (words) => {
      const { stdout } = await exec(['sh', '-c', loginLine(['printf', '%s\\0', ...words])])
      const expected = words.length === 0 ? '\0' : words.map((one) => `${one}\0`).join('')
      expect(stdout.replace(/^netops-command \d+\n/, '')).toBe(expected)
    }),
    { numRuns: 40 },
  )
})
