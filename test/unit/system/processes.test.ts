import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  identify,
  identifySelf,
  isAlive,
  isOpenForWriting,
  signalProcess,
  startTimeIn,
} from '../../../src/system/processes.ts'

const fields = Array.from({ length: 18 }, (_, index) => String(index + 4))

test('the start time is found behind a name that holds brackets and spaces', () => {
  expect(startTimeIn(`7 (a) b (c)) S ${fields.join(' ')} 22 23`)).toBe('22')
})
test.each(['Z', 'X', ''])('a process in state %j has none', (state) => {
  expect(startTimeIn(state === '' ? '' : `7 (a) ${state} ${fields.join(' ')}`)).toBeUndefined()
})

test('a process is alive until it ends, and only then cannot be signalled', async () => {
  const child = spawn('sleep', ['60'])
  await once(child, 'spawn')
  const identity = await identify(child.pid ?? 0)
  if (identity === undefined) throw new Error('it did not run')
  expect(await isAlive(identity)).toBe(true)
  expect(await signalProcess({ ...identity, startTime: '1' }, 'SIGKILL')).toBe(false)
  expect(await signalProcess(identity, 'SIGKILL')).toBe(true)
  await once(child, 'exit')
  expect(await isAlive(identity)).toBe(false)
  expect(await signalProcess(identity, 'SIGKILL')).toBe(false)
})

test('this process knows itself', async () => {
  expect(await isAlive(await identifySelf())).toBe(true)
})

test('a file counts as open for writing while another process may write to it, not while it reads', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'netops-processes-'))
  const file = join(folder, 'journal')
  await writeFile(file, '')
  expect(await isOpenForWriting(join(folder, 'none'))).toBe(false)
  expect(await isOpenForWriting(file)).toBe(false)
  for (const [redirection, expected] of [
    ['>>', true],
    ['<', false],
  ] as const) {
    const child = spawn('sh', ['-c', `exec 3${redirection}"$0"; echo open; exec sleep 60`, file])
    await once(child.stdout, 'data')
    expect(await isOpenForWriting(file)).toBe(expected)
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  expect(await isOpenForWriting(file)).toBe(false)
  await rm(folder, { recursive: true })
})
