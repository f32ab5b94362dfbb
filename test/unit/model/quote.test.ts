import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { runsCommand } from '../../../src/model/paths.ts'
import { quoteCommand } from '../../../src/model/quote.ts'
import { putAside } from '../../../src/model/state-text.ts'

describe('a quoted command', () => {
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
