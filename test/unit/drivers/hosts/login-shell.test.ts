import { expect, test } from 'vitest'
import { loginLine } from '../../../../src/drivers/hosts/login-shell.ts'

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
