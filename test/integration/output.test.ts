// What netops prints arrives, or the exit code tells that it has not.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, inject, onTestFinished, test } from 'vitest'
import { exec } from '../../src/system/exec.ts'

const root = process.getuid?.() === 0

async function scratch(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'netops-output-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** A command by a shell that sends its output somewhere. */
const shell = (script: string, words: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  exec(['sh', '-c', script, 'sh', inject('builds').netops, ...words], { env, timeoutMs: 20_000 })

test.each([
  ['--version'],
  ['--help'],
  ['deploy --help'],
  ['help exit-codes'],
  ['config schema server'],
  ['config schema server --json'],
  ['tune scale --cpus 4 --memory 8GiB'],
  ['runs list'],
  ['exec --root / -- echo a line as it comes'],
  ['exec --root / --grouped -- echo whole'],
])('netops %s > /dev/full fails, and says so', async (words) => {
  const { code, stderr } = await shell('"$@" > /dev/full', words.split(' '), { NETOPS_STATE_DIR: await scratch() })
  expect([code, stderr]).toEqual([1, expect.stringContaining('could not be written whole: ENOSPC: no space left')])
})

test('the end of a run that changed something is told as partly done where its events do not arrive', async () => {
  const words = ['runs', 'start', 'gc', '--root', await scratch(), '--jsonl']
  const { code, stderr } = await shell(`echo '{"olderThanMs": 0, "keepRuns": 1}' | "$@" > /dev/full`, words)
  expect([code, stderr]).toEqual([3, expect.stringContaining('the command itself ended with: done')])
})

test.runIf(root)('a disk that takes a part alone is no success', async () => {
  const script = 'mount -t tmpfs -o size=8k tmpfs "$0" && "$@" > "$0/result"'
  const argv = [await scratch(), inject('builds').netops, 'config', 'schema', 'server']
  const { code, stderr } = await exec(['unshare', '--mount', 'sh', '-c', script, ...argv], { timeoutMs: 20_000 })
  expect([code, stderr]).toEqual([1, expect.stringContaining('could not be written whole: ENOSPC')])
})

test('a reader that left before the result came is no failure', async () => {
  const { code, stderr } = await shell('{ "$@"; echo "rc $?" >&2; } | true', ['config', 'schema', 'server'])
  expect([code, stderr]).toEqual([0, 'rc 0\n'])
})

test('a log that is followed into a full disk is not followed for ever', async () => {
  const place = await scratch()
  const begin = 'mkdir -p "$0/var/log/network" && echo one > "$0/var/log/network/service.out" && "$@" > /dev/full'
  const argv = [place, inject('builds').netops, 'logs', '-f', '--root', place]
  const { code, stderr } = await exec(['sh', '-c', begin, ...argv], { timeoutMs: 20_000 })
  expect([code, stderr]).toEqual([1, expect.stringContaining('could not be written whole')])
})
