// Hosts whose every answer would command the operator's terminal, or pass for a line about another host.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fakeConnections } from '../../support/fake-hosts.ts'
import { runCommand } from '../../support/run-in-process.ts'
import { smallFleet, type SmallFleet } from '../../support/small-fleet.ts'

let fleet: SmallFleet
beforeAll(async () => {
  fleet = await smallFleet()
  for (const name of ['netops', 'network_server'])
    await writeFile(join(fleet.cwd, name), '#!/bin/sh\n', { mode: 0o755 })
})
afterAll(() => fleet.remove())

const hostile =
  'x\u001b[2J\u001b]0;t\u0007\u009b31m\u007f\u202e\u2066\u2028\u200b\u{e0041}\rweb9: healthy\nweb9: healthy\n'
const lock = {
  ...{ lease: hostile, run: hostile, reason: hostile, user: hostile, from: hostile, since: hostile },
  ...{ silentSeconds: 1, standing: 'held', state: 'at work' },
}
const documents: Readonly<Record<string, unknown>> = {
  'with documents of the right shape': { hosts: [{ locks: [lock] }], ok: true },
  'with failures': { error: { code: 'locked', message: hostile, hint: hostile } },
}
const commands = [
  ['status'],
  ['health'],
  ['logs'],
  ['lock', 'status'],
  ['inventory', 'check'],
  ['preflight'],
  ['tune', 'show'],
  ['tune', 'verify'],
  ['config', 'diff', 'web1'],
  ['deploy', '--dry-run', '--release', 'network_server'],
  ['rollback', '--dry-run'],
  ['gc', '--dry-run'],
]

// Everything that a terminal obeys or that nobody sees, but for the end of a line and the tab.
const unsafe =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\u{e0000}-\u{e007f}]/u

test.each(
  Object.keys(documents).flatMap((kind) =>
    [0, 1].flatMap((code) => commands.map((words) => [words, kind, code] as const)),
  ),
)('%j shows what a hostile host answers %s and exit %d as text below its own name', async (words, kind, code) => {
  const stdout = `${hostile}${JSON.stringify(documents[kind])}\n`
  const host = {
    links: { '/opt/network_system/current': `releases/${hostile}` },
    files: {
      ...(code === 0 ? {} : { '/etc/netops/environment': hostile }),
      '/etc/network_system/config.yaml': hostile,
    },
    commands: [[/^ls -1t /, { stdout: 'aaaa\n' }] as const, [/./s, { code, stdout, stderr: hostile }] as const],
  }
  const connections = fakeConnections({ web1: host, web2: host, db1: host })
  // Without a netops to push, nothing that changes hosts would ask them anything.
  const given = { cwd: fleet.cwd, connections, env: { NETOPS_EXECUTABLE: join(fleet.cwd, 'netops') } }
  const seen = await runCommand(words, given)
  expect(seen.stderr).not.toMatch(unsafe)
  // What lines of hosts are to a pipe are bytes (HostLines).
  if (words[0] !== 'logs') expect(seen.stdout).not.toMatch(unsafe)
  expect(`${seen.stdout}${seen.stderr}`.split('\n').filter((line) => line.startsWith('web9'))).toEqual([])
  const { json } = await runCommand([...words, '--json'], given)
  expect(json).not.toMatch(unsafe)
})
