// Hosts that mean harm, or are broken: real SSH servers that answer everything with what commands a terminal, or without end.
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { connectSsh } from '../../src/drivers/hosts/ssh.ts'
import { unstoppable } from '../../src/engine/halt.ts'
import { exec, start } from '../../src/system/exec.ts'
import { readTextIfAny } from '../../src/system/files.ts'
import { pause } from '../support/site.ts'
import { startSshFleet, type SshFleet } from '../support/ssh-fleet.ts'
import { inTerminal } from '../support/tmux.ts'

let fleet: SshFleet
let env: Readonly<Record<string, string>>
beforeAll(async () => {
  fleet = await startSshFleet(['web1'])
  env = { NETOPS_STATE_DIR: join(fleet.folder, 'state') }
})
afterAll(() => fleet.stop())

/** From now on every command that the host is given runs this script instead. */
async function answering(script: string): Promise<void> {
  const file = join(fleet.folder, 'answer')
  await writeFile(file, `#!/bin/sh\n${script}\n`)
  await chmod(file, 0o755)
  const config = join(fleet.folder, 'web1', 'sshd_config')
  const before = (await readFile(config, 'utf8')).replaceAll(/^ForceCommand .*\n/gm, '')
  await writeFile(config, `${before}ForceCommand ${file}\n`)
  await fleet.hosts.web1?.restart()
}

const words = (...command: readonly string[]): string[] => {
  const options = command.indexOf('--')
  const at = options < 0 ? command.length : options
  const [before, after] = [command.slice(0, at), command.slice(at)]
  return [inject('builds').netops, ...before, '--inventory', fleet.inventory, '--hosts', 'web1', ...after]
}

/** Runs it to its end; the most memory that it held, in bytes. */
async function measured(command: readonly string[], limitMs = 30_000) {
  const output = join(fleet.folder, 'said')
  await writeFile(output, '')
  const { pid, ended } = await start(
    ['env', ...Object.entries(env).map((pair) => pair.join('=')), ...words(...command)],
    { output },
  )
  let over = false
  let peak = 0
  const limit = setTimeout(() => process.kill(pid, 'SIGKILL'), limitMs)
  void ended.then(() => {
    over = true
    clearTimeout(limit)
  })
  for (; !over; await pause(20)) {
    const status = await readTextIfAny(`/proc/${pid}/status`).catch(() => undefined)
    peak = Math.max(peak, Number(/^VmHWM:\s+(\d+) kB$/m.exec(status ?? '')?.[1] ?? 0) * 1024)
  }
  return { code: await ended, peak, said: await readFile(output, 'utf8') }
}

// What netops takes for a host that answers well is some 120 MB; the rest is what the garbage collector leaves lying.
const mostMemory = 250e6

describe.each([
  ['that sends zeros without end', 'exec cat /dev/zero', /cut off when \S+ \S+ had come/],
  [
    'that begins as a command does, then sends zeros without end',
    'echo "netops-command $$"; exec cat /dev/zero',
    /cut off when \S+ \S+ had come/,
  ],
  ['that complains without end', 'exec cat /dev/zero >&2', /its complaints: expected at most \S+ \S+; it was cut off/],
])('a host %s', (_, script, failure) => {
  beforeAll(() => answering(script))

  test.each([
    ['status'],
    ['health'],
    ['logs'],
    ['logs -f'],
    ['lock status'],
    ['inventory check'],
    ['preflight'],
    ['rollback'],
    ['gc'],
    ['tune show'],
  ])('is cut off by netops %s, which ends with what was expected', async (command) => {
    const { code, peak, said } = await measured(command.split(' '))
    expect(said).toMatch(failure)
    expect([1, 7]).toContain(code)
    expect(peak).toBeLessThan(mostMemory)
  })
})

test('netops exec is given nothing by a host that runs no command', async () => {
  await answering('exec cat /dev/zero')
  const { code, peak, said } = await measured(['exec', '--', 'true'])
  expect([code, said.length]).toEqual([1, expect.any(Number) as number])
  expect(said).toMatch(
    /^web1: what the login shell says before it runs a command: expected at most 65\.5 KB; it was cut off/,
  )
  expect(peak).toBeLessThan(mostMemory)
})

test.each([
  ['whoever reads it is slow', '', 'exec 3<&0; sleep 2; cat <&3 > /dev/null'],
  ['it is kept for a document', '--json', 'cat > /dev/null'],
])('netops exec holds little of an output without end, also where %s', async (_, option, reader) => {
  await answering('echo "netops-command $$"; exec cat /dev/zero')
  const line = words('exec', '--timeout', '3s', ...(option === '' ? [] : [option]), '--', 'true')
  const file = join(fleet.folder, 'peak')
  // The memory that the first of the pipe held most, by its own parent.
  const script = `{ "$@" & pid=$!; while kill -0 $pid 2>/dev/null; do grep VmHWM /proc/$pid/status > '${file}.new' && mv '${file}.new' '${file}'; sleep 0.05; done 2>/dev/null; } | { ${reader}; }`
  await exec(['sh', '-c', script, 'sh', ...line], { env, timeoutMs: 40_000 })
  const peak = Number(/(\d+) kB/.exec(await readFile(file, 'utf8'))?.[1]) * 1024
  // A document has up to 64 MiB of output, and is there as bytes, as text and as bytes again while it is written.
  expect(peak).toBeLessThan(option === '--json' ? mostMemory + 3 * 64 * 2 ** 20 : mostMemory)
})

test.each([
  ['has no end', 'exec cat /dev/zero', /netops: a line of its output: expected at most 4\.2 MB; it was cut off/],
  [
    'is about another run',
    `echo '{"netops":1,"seq":1,"at":"2026-11-23T10:45:01.000Z","type":"end","outcome":"done","changed":true}'; echo '{"netops":1,"seq":9}'`,
    /record 2 is none that this netops understands/,
  ],
])('a run whose journal on its host %s is not followed any further', async (_, journal, failure) => {
  const ok = `echo '{"schema":"netops/v1","ok":true}'`
  await answering(
    `echo "netops-command $$"; case $SSH_ORIGINAL_COMMAND in *runs*follow*) ${journal} ;; *) ${ok} ;; esac`,
  )
  const { followHostRun } = await import('../../src/runs/remote-host-run.ts')
  const sshd = fleet.hosts.web1
  if (sshd === undefined) throw new Error('there is no web1')
  const connection = await connectSsh(sshd.target)
  try {
    const report = {
      ...{ step: 'web1/activate', last: undefined, pass: () => undefined, pushed: () => undefined },
      ...{ progress: () => undefined, result: () => undefined },
    }
    const effect = { kind: 'undo-host-run', netops: 'netops', run: 'R.web1', root: '/' } as const
    await expect(followHostRun(connection, effect, report, unstoppable)).rejects.toThrow(failure)
  } finally {
    await connection.close()
  }
})

test('what a host says in place of running commands is shown at a terminal as text', async () => {
  await answering(`printf 'no\\033[2J\\033]0;title\\007\\n' >&2; exit 1`)
  const terminal = await inTerminal(words('status'), env)
  const shown = await terminal.shows(/^exit 4$/m)
  expect(shown.replaceAll('\n', '')).toContain('no\\x1b[2J\\x1b]0;title\\x07')
})

test.each([
  [['config', 'validate', '/dev/zero'], 'cannot be read'],
  [['inventory', 'list', '--inventory', '/dev/zero'], '/dev/zero'],
])('a file without end is cut off: netops %j', async (command, message) => {
  const { code, stdout, stderr } = await exec([inject('builds').netops, ...command], { timeoutMs: 20_000 })
  expect(code).toBeGreaterThan(0)
  expect(`${stdout}${stderr}`).toContain(message)
  expect(`${stdout}${stderr}`).toMatch(/expected at most 8\.4 MB; it was cut off when 8\.\d MB had come/)
})
