// What an executable needs, read from real files of this machine and from first lines.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { messageOf, NetopsError } from '../../../src/model/errors.ts'
import { readProgramNeeds, scriptNeeds } from '../../../src/system/executable.ts'

const machine = process.arch === 'arm64' ? 'aarch64' : 'x86_64'

test('a program tells its machine, its loader, its libraries and the glibc that it asks for', async () => {
  // BUILDING.md of Node 24: glibc 2.28.
  expect(await readProgramNeeds(process.execPath)).toEqual({
    machine,
    interpreter: expect.stringMatching(/^\/lib.*\/ld-linux/) as string,
    libraries: expect.arrayContaining(['libc.so.6', 'libstdc++.so.6']) as string[],
    glibc: '2.28',
  })
})

describe('the first line of a script', () => {
  test.each<[string, object]>([
    ['#!/bin/sh\n', { interpreter: '/bin/sh' }],
    ['#! /bin/sh -e\n', { interpreter: '/bin/sh' }],
    ['#!/bin/sh', { interpreter: '/bin/sh' }],
    ['#!/usr/bin/env python3\n', { interpreter: '/usr/bin/env', command: 'python3' }],
    ['#!/usr/bin/env -S A=1 deno run\n', { interpreter: '/usr/bin/env', command: 'deno' }],
    ['#!/usr/bin/env -u HOME deno\n', { interpreter: '/usr/bin/env' }],
    ['#!\n', { fault: 'no interpreter stands after its #!' }],
    ['#!/bin/sh\r\n', { fault: expect.stringContaining('CR LF') as string }],
    ['\ufeff#!/bin/sh\n', { fault: expect.stringContaining('byte order mark') as string }],
    ['#!\u001b[31msh\n', { fault: 'its interpreter \\x1b[31msh has no absolute path' }],
    ['echo\n', { fault: 'it is neither an ELF program nor a script that begins with #!' }],
  ])('%j', (line, needs) => {
    expect(scriptNeeds(Buffer.from(line))).toEqual(needs)
  })
})

test('whatever a file that begins like a program holds, it is read in bounds or refused', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'netops-elf-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const whole = await readFile('/bin/true')
  const file = join(folder, 'program')
  // A linear congruential generator: the same files each time.
  let seed = 1
  const random = (below: number): number => (seed = (seed * 48271) % 2147483647) % below
  const ends = new Set<string>()
  for (let round = 0; round < 300; round += 1) {
    const copy = Buffer.from(whole)
    for (let change = 0; change < 8; change += 1) copy[4 + random(change < 6 ? 1020 : whole.length - 4)] = random(256)
    await writeFile(file, copy.subarray(0, random(4) === 0 ? random(whole.length) : whole.length))
    ends.add(
      await readProgramNeeds(file).then(
        () => 'read',
        (error: unknown) => (error instanceof NetopsError ? error.code : messageOf(error)),
      ),
    )
  }
  expect([...ends].sort()).toEqual(['read', 'refused'])
})
