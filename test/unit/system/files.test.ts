import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  listIfAny,
  makeFolder,
  readTextIfAny,
  readTextIfAnyNow,
  removeTree,
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

test('folders and files get the modes that they are to have, whatever the umask is', async () => {
  const modeOf = async (path: string) => (await stat(join(folder, path))).mode & 0o777
  const before = process.umask(0)
  try {
    for (const umask of [0o000, 0o077]) {
      process.umask(umask)
      const name = `umask-${umask}`
      expect(await makeFolder(join(folder, name, 'above/it'), 0o750)).toBe(true)
      expect(await makeFolder(join(folder, name, 'above/it'), 0o700)).toBe(false)
      await writeFileAtomic(join(folder, name, 'f'), 'x', 0o644)
      const modes = await Promise.all([name, `${name}/above`, `${name}/above/it`, `${name}/f`].map(modeOf))
      expect(modes).toEqual([0o755, 0o755, 0o750, 0o644])
    }
  } finally {
    process.umask(before)
  }
})

test('a tree is removed without what links in it lead to', async () => {
  await mkdir(join(folder, 'tree/below'), { recursive: true })
  await mkdir(join(folder, 'kept'))
  await writeFile(join(folder, 'kept/f'), 'x')
  await symlink('../kept', join(folder, 'tree/link'))
  await symlink('../../kept/f', join(folder, 'tree/below/link'))
  for (const path of ['tree', 'tree', 'not/there']) await removeTree(join(folder, path))
  expect(await readdir(folder)).toEqual(['kept'])
  await symlink('kept', join(folder, 'link'))
  await removeTree(join(folder, 'link'))
  expect(await readdir(join(folder, 'kept'))).toEqual(['f'])
  // Who moved a folder of ours to another disk has left a link.
  await writeFile(join(folder, 'kept/g'), '')
  await symlink('kept', join(folder, 'moved'))
  await removeTree(join(folder, 'moved/g'))
  expect(await readdir(join(folder, 'kept'))).toEqual(['f'])
  await expect(removeTree(join(folder, 'kept/f/g'))).rejects.toMatchObject({ code: 'ENOTDIR' })
})
