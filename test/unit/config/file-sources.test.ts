import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { Sources } from '../../../src/config/file-sources.ts'
import type { HostReader } from '../../../src/drivers/hosts/port.ts'
import { lookAtFiles } from '../../../src/procedures/deploy/brought-files.ts'
import { sha256OfText } from '../../../src/system/files.ts'

async function scratch(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'netops-sources-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

const command = ['sh', '-c', 'echo x >> calls; echo secret']
const files = [{ from: { command }, to: '/etc/network/server.key', mode: '0600', owner: 'root:' }]
const none = new AbortController().signal
const calls = (cwd: string) => readFile(join(cwd, 'calls'), 'utf8').catch(() => '')

/** A host that has the file with some content. */
const having = (sha256: string | undefined): HostReader => ({
  name: 'web1',
  readText: () => Promise.resolve(undefined),
  readLink: () => Promise.resolve(undefined),
  list: () => Promise.resolve([]),
  exists: () => Promise.resolve(true),
  sha256: () => Promise.resolve(sha256),
  // Whose the folders are is asked by a script, about a file by stat alone.
  query: ([program]) =>
    Promise.resolve({ code: 0, stdout: program === 'sh' ? 'netops 0\0' : '600 root:root\n', stderr: '' }),
})

test('a command that prints a secret runs once for all hosts, when they are looked at and when it is brought', async () => {
  const cwd = await scratch()
  const sources = new Sources({ env: {}, leaving: none })
  const hosts = Array.from({ length: 10 }, () => having(sha256OfText('secret\n')))
  const looks = await Promise.all(
    hosts.map((host) => lookAtFiles(files, { cwd, sources, withoutCommands: false }, host)),
  )
  expect(looks.flat()).toEqual(hosts.map(() => ({ same: true })))
  expect(await sources.read({ command }, cwd)).toMatchObject({ text: 'secret\n' })
  expect(await calls(cwd)).toBe('x\n')
})

test.each([
  ['in a dry run', sha256OfText('secret\n'), true],
  ['for a host that has no such file, before it is brought', undefined, false],
])('it does not run %s', async (_, present, withoutCommands) => {
  const cwd = await scratch()
  const sources = new Sources({ env: {}, leaving: none })
  expect(await lookAtFiles(files, { cwd, sources, withoutCommands }, having(present))).toEqual([{ same: false }])
  expect(await calls(cwd)).toBe('')
})
