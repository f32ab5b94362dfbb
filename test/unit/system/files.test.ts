import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  listIfAny,
  readTextIfAny,
  readTextIfAnyNow,
  sha256OfFile,
  sha256OfText,
  writeFileAtomic,
} from '../../../src/system/files.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netops-files-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

test('a file is replaced as a whole, with its mode, and nothing is left beside it', async () => {
  const path = join(folder, 'f')
  await writeFile(path, 'old', { mode: 0o644 })
  const before = (await stat(path)).ino
  await writeFileAtomic(path, 'new', 0o600)
  expect([await readFile(path, 'utf8'), (await stat(path)).mode & 0o777]).toEqual(['new', 0o600])
  expect((await stat(path)).ino).not.toBe(before)
  expect(await readdir(folder)).toEqual(['f'])
})

test('a file that cannot be replaced leaves nothing behind', async () => {
  await mkdir(join(folder, 'd'))
  await expect(writeFileAtomic(join(folder, 'd'), 'new')).rejects.toThrow()
  expect(await readdir(folder)).toEqual(['d'])
})

test('what is not there reads as nothing; what cannot be read is an error', async () => {
  expect(await readTextIfAny(join(folder, 'no', 'file'))).toBeUndefined()
  expect(await listIfAny(join(folder, 'no'))).toEqual([])
  await expect(readTextIfAny(folder)).rejects.toThrow('EISDIR')
})

test('what lies in the place of a file or folder is told by its name', async () => {
  const file = join(folder, 'f')
  await writeFile(file, '')
  await expect(readTextIfAny(folder)).rejects.toThrow(`cannot read ${folder}: EISDIR`)
  expect(() => readTextIfAnyNow(folder)).toThrow(`cannot read ${folder}: EISDIR`)
  await expect(listIfAny(file)).rejects.toMatchObject({
    code: 'damaged',
    message: `${file} is damaged: it is no folder`,
    hint: `put it aside: mv -- ${file} ${file}.aside`,
  })
})

test('a hash is the same of a text and of the file that holds it', async () => {
  await writeFile(join(folder, 'f'), 'abc')
  const hash = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
  expect([await sha256OfFile(join(folder, 'f')), sha256OfText('abc')]).toEqual([hash, hash])
})
