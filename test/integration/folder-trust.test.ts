import { chmod, mkdir, mkdtemp, realpath, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { exec } from '../../src/system/exec.ts'
import { lookAtWays, refuseDistrustedHere } from '../../src/system/folder-trust.ts'

let folder: string
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'netops-ways-')))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const look = (...paths: string[]) =>
  lookAtWays(
    (argv) => exec(argv),
    paths.map((path) => join(folder, path)),
  )

test('a folder of our own is trusted, and so is one that is not there yet', async () => {
  await mkdir(join(folder, 'own'))
  expect(await look('own', 'own/new/newer')).toEqual({ distrust: undefined, there: [join(folder, 'own')] })
})

test('a folder that others may write to is named wherever it lies on the way', async () => {
  await mkdir(join(folder, 'shared/own'), { recursive: true })
  await chmod(join(folder, 'shared'), 0o777)
  for (const path of ['shared', 'shared/own', 'shared/own/new'])
    expect((await look(path)).distrust).toMatchObject({ folder: join(folder, 'shared') })
})

test('a link is followed as the kernel does, and what it leads through is looked at', async () => {
  await mkdir(join(folder, 'shared/deep'), { recursive: true })
  await chmod(join(folder, 'shared'), 0o777)
  await mkdir(join(folder, 'own'))
  await symlink('../shared/deep', join(folder, 'own/link'))
  await symlink('own', join(folder, 'good'))
  expect(await look('good')).toMatchObject({ distrust: undefined, there: [join(folder, 'good')] })
  expect((await look('good/link')).distrust).toMatchObject({ folder: join(folder, 'shared') })
})

test('links in a circle lead nowhere', async () => {
  await symlink('b', join(folder, 'a'))
  await symlink('a', join(folder, 'b'))
  expect(await look('a/x')).toEqual({ distrust: undefined, there: [] })
})

test('names with blanks, quotes and line ends are names', async () => {
  const name = `a b\n'c"`
  await mkdir(join(folder, name, 'd'), { recursive: true })
  await chmod(join(folder, name), 0o777)
  expect((await look(`${name}/d`)).distrust).toMatchObject({ folder: join(folder, name) })
})

test('it is refused with the folder, whose it is, and the command that ends it', async () => {
  await mkdir(join(folder, 'shared'))
  await chmod(join(folder, 'shared'), 0o777)
  await expect(refuseDistrustedHere([join(folder, 'shared')])).rejects.toMatchObject({
    code: 'refused',
    message: expect.stringContaining(`${folder}/shared may be written to by anybody`) as unknown,
    hint: expect.stringContaining(`chmod go-w ${folder}/shared`) as unknown,
  })
})

test('a machine that gives no answer is not trusted', async () => {
  await expect(lookAtWays(() => Promise.resolve({ stdout: '' }), ['/etc'])).rejects.toMatchObject({ code: 'failed' })
})
