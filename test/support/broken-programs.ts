// Executables that cannot run, made of one that can: this machine's own true(1).
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** How a file is broken, what is said of it, and how it is made of a program that is whole. */
type Broken = readonly [how: string, said: string, make: (whole: Buffer) => Buffer | string]

/** Those that no host could run. */
export const brokenPrograms: readonly Broken[] = [
  ['a script without #!', 'neither an ELF program nor a script that begins with #!', () => 'exec true\n'],
  ['a script with CR LF', 'its first line ends with CR LF', () => '#!/bin/sh\r\nexec true\r\n'],
  ['a script with a byte order mark', 'a byte order mark stands before its #!', () => '\ufeff#!/bin/sh\nexec true\n'],
  ['a script whose interpreter has no path', 'has no absolute path', () => '#!sh\nexec true\n'],
  ['an empty file', 'it is empty', () => ''],
  ['a program for Windows', 'a program for Windows', () => 'MZ\x90\0'],
  ['a program of which the end is missing', 'it is cut off', (whole) => whole.subarray(0, 8192)],
  ['an object file that was not linked', 'it was not linked', (whole) => patched(whole, 16, 1)],
]

/** Those that need what this host is not, or lacks. */
export const strangePrograms: readonly Broken[] = [
  ['a program for another machine', 'is a program for s390x, the host is', (whole) => patched(whole, 18, 22)],
  [
    'a script whose interpreter is not there',
    'lacks its interpreter /usr/bin/no-such-sh',
    () => '#!/usr/bin/no-such-sh\nexec true\n',
  ],
  [
    'a script whose interpreter env does not find',
    'lacks the command no-such-python',
    () => '#!/usr/bin/env no-such-python\nimport os\n',
  ],
  [
    'a program whose loader is not there',
    'lacks its interpreter /lib',
    (whole) => renamed(whole, '/ld-linux', '/ld-linqx'),
  ],
  [
    'a program that asks for a library that is not there',
    'lacks the library libq.so.6',
    (whole) => renamed(whole, 'libc.so.6', 'libq.so.6'),
  ],
  [
    'a program that asks for a newer glibc',
    'asks for glibc 2.99',
    (whole) => renamed(whole, /GLIBC_2\.\d\d(?=\0)/, 'GLIBC_2.99'),
  ],
]

/** Writes one of them, executable. */
export async function brokenProgram(folder: string, make: (whole: Buffer) => Buffer | string): Promise<string> {
  const file = join(folder, 'broken')
  await writeFile(file, make(await readFile('/bin/true')))
  await chmod(file, 0o755)
  return file
}

/** With another half word at an offset. */
function patched(whole: Buffer, offset: number, value: number): Buffer {
  const copy = Buffer.from(whole)
  copy.writeUInt16LE(value, offset)
  return copy
}

/** With every one of these names, of equal length, by another. */
function renamed(whole: Buffer, from: string | RegExp, to: string): Buffer {
  const text = whole.toString('latin1')
  const changed = typeof from === 'string' ? text.replaceAll(from, to) : text.replace(new RegExp(from, 'g'), to)
  if (changed === text || changed.length !== text.length) throw new Error(`true(1) is not as this test takes it: ${to}`)
  return Buffer.from(changed, 'latin1')
}
