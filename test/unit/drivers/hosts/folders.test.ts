// What commands make of folders and files that lie there already, tried on this machine; only root can give a folder away.
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { applyEffect } from '../../../../src/drivers/hosts/apply.ts'
import { connectHere } from '../../../../src/drivers/hosts/readers.ts'
import type { HostEffect } from '../../../../src/model/effects.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netops-folders-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const apply = (effect: HostEffect) => applyEffect(connectHere('here'), effect)
const about = async (path: string) => {
  const { uid, mode } = await stat(path)
  return [uid, mode & 0o777]
}

describe.runIf(process.getuid?.() === 0)('a folder for another account', () => {
  const make = (path: string) => apply({ kind: 'directory', path, mode: '0750', owner: 'nobody:root' })

  test('is made, also a second time and with the folders above it', async () => {
    const path = join(folder, 'above/theirs')
    for (let times = 0; times < 2; times += 1) {
      await make(path)
      expect(await about(path)).toEqual([65534, 0o750])
    }
    expect(await about(join(folder, 'above'))).toEqual([0, 0o755])
  })

  test('is not made through a link that somebody has put in its place', async () => {
    await mkdir(join(folder, 'roots'))
    await symlink('roots', join(folder, 'theirs'))
    await expect(make(join(folder, 'theirs'))).rejects.toThrow('something else is in its place')
    expect(await about(join(folder, 'roots'))).toEqual([0, 0o755])
    await writeFile(join(folder, 'file'), '')
    await expect(make(join(folder, 'file'))).rejects.toThrow('something else is in its place')
  })
})

describe('what cannot take its place', () => {
  test.each<HostEffect>([
    { kind: 'link', path: 'taken', target: 'elsewhere' },
    { kind: 'write', path: 'taken', content: 'text', mode: '0644' },
    { kind: 'copy', from: 'source', path: 'taken', mode: '0644' },
    { kind: 'duplicate', from: 'source', path: 'taken' },
  ])('is not left half made: $kind', async (effect) => {
    await writeFile(join(folder, 'source'), 'text')
    await mkdir(join(folder, 'taken/by'), { recursive: true })
    const at = {
      ...('path' in effect ? { path: join(folder, effect.path) } : {}),
      ...('from' in effect ? { from: join(folder, 'source') } : {}),
    }
    await expect(apply({ ...effect, ...at })).rejects.toThrow('taken')
    expect(await readdir(folder)).toEqual(['source', 'taken'])
  })
})

describe('a duplicate', () => {
  const copy = (from: string, path: string, unlessSame?: true) =>
    apply({ kind: 'duplicate', from: join(folder, from), path: join(folder, path), ...(unlessSame && { unlessSame }) })

  test('of a link is that link, in the place of whatever was there', async () => {
    await symlink('nowhere', join(folder, 'link'))
    await writeFile(join(folder, 'target'), 'kept')
    await symlink('target', join(folder, 'copy'))
    await symlink('target', join(folder, '.copy.netops-new'))
    await copy('link', 'copy')
    expect(await readlink(join(folder, 'copy'))).toBe('nowhere')
    expect(await readFile(join(folder, 'target'), 'utf8')).toBe('kept')
  })

  test('of a file has its mode and time, and is left as it is where it is the same', async () => {
    await writeFile(join(folder, 'file'), 'text')
    await chmod(join(folder, 'file'), 0o604)
    await utimes(join(folder, 'file'), 1000, 1000.5)
    await copy('file', 'copy')
    const made = await lstat(join(folder, 'copy'))
    expect([made.mode & 0o7777, made.mtimeMs]).toEqual([0o604, 1000500])
    await copy('file', 'copy', true)
    expect((await lstat(join(folder, 'copy'))).ino).toBe(made.ino)
    await chmod(join(folder, 'copy'), 0o600)
    await copy('file', 'copy', true)
    expect((await lstat(join(folder, 'copy'))).mode & 0o7777).toBe(0o604)
  })
})
