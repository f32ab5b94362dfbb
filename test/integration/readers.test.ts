import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectHere, readerOf } from '../../src/drivers/hosts/readers.ts'
import { readerOver } from '../../src/drivers/hosts/reader.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netops-readers-'))
  await mkdir(join(folder, 'folder'))
  for (const name of ['b', '.a', 'ä ö']) await writeFile(join(folder, 'folder', name), name)
  await writeFile(join(folder, 'file'), 'text\nmore ☃\n')
  await writeFile(join(folder, 'empty'), '')
  await symlink('file', join(folder, 'link'))
  await symlink('nowhere', join(folder, 'dangling'))
  await symlink('loop', join(folder, 'loop'))
})
afterAll(() => rm(folder, { recursive: true }))

const paths = ['file', 'empty', 'folder', 'link', 'dangling', 'loop', 'none', 'none/at/all', 'file/below']

describe('this machine, read directly,', () => {
  // What one call comes to, told so that the two can be compared: the words of an error are each system's own.
  const outcome = (call: Promise<unknown>): Promise<unknown> => call.catch(codeOf)
  const codeOf = (error: unknown) => {
    const { code, host } = error as { code?: unknown; host?: unknown }
    return { code, host }
  }
  const readers = () => {
    const connection = connectHere('web1')
    return [readerOf(connection), readerOver(connection)] as const
  }

  test.each(paths)('is what commands say it is: %s', async (name) => {
    const [direct, commands] = readers()
    const path = join(folder, name)
    for (const call of ['readText', 'readLink', 'exists', 'sha256'] as const) {
      expect([call, await outcome(direct[call](path))]).toEqual([call, await outcome(commands[call](path))])
    }
  })

  test.each(['folder', 'none', 'file/below'])('has the same names in %s', async (name) => {
    const [direct, commands] = readers()
    expect(await direct.list(join(folder, name))).toEqual(await commands.list(join(folder, name)))
  })

  test('has no text of a process that is gone, and an error for a folder', async () => {
    const [direct] = readers()
    expect(await direct.readText('/proc/4194305/stat')).toBeUndefined()
    await expect(direct.readText(folder)).rejects.toMatchObject({ code: 'refused', host: 'web1' })
  })

  test('runs commands as before', async () => {
    const [direct] = readers()
    expect(await direct.query(['sh', '-c', 'echo out; exit 3'])).toMatchObject({ code: 3, stdout: 'out\n' })
  })
})
