import { expect, test } from 'vitest'
import { commandsOf } from '../../../../src/drivers/hosts/commands.ts'
import { systemd } from '../../../../src/drivers/services/systemd.ts'
import type { HostEffect } from '../../../../src/model/effects.ts'
import { activationCommands, allCommands, isOlder, parseNeeds } from '../../../../src/procedures/deploy/host-needs.ts'

const file = { path: '/f', mode: '0600', owner: 'root' }
const effects: readonly HostEffect[] = [
  { kind: 'directory', ...file },
  { kind: 'write', ...file, content: '' },
  { kind: 'copy', from: '/a', ...file, sha256: 'a' },
  { kind: 'push', from: '/a', ...file, sha256: 'a', size: 1 },
  { kind: 'provide', source: { file: '/a' }, cwd: '/', ...file },
  { kind: 'link', path: '/l', target: 't' },
  { kind: 'remove', path: '/f' },
  { kind: 'remove-tree', path: '/f' },
  { kind: 'remove-empty', path: '/f' },
  { kind: 'account', user: 'u' },
  { kind: 'sysctl', values: { 'vm.swappiness': '1' } },
]

test('every command that an effect becomes is looked for', () => {
  const called = effects.flatMap((effect) => commandsOf(effect).map(({ argv }) => argv[0] ?? ''))
  called.push(...systemd.commandsOf({ kind: 'service', unit: 'u', action: 'start' }).map(({ argv }) => argv[0] ?? ''))
  called.push(systemd.logsCommand('u')[0] ?? '')
  expect(called.filter((name) => !allCommands.includes(name))).toEqual([])
  // Kernel parameters are tuning's, and a log is read by a person.
  const ofTuning = ['sysctl', 'journalctl']
  expect(called.filter((name) => !activationCommands('systemd').includes(name) && !ofTuning.includes(name))).toEqual([])
})

test('a host without systemd is not asked for its commands', () => {
  expect(activationCommands('process')).not.toContain('systemctl')
})

test('what one command prints is read', () => {
  expect(parseNeeds('glibc 2.36\nsystemd\nmissing dd\nmissing useradd\n')).toEqual({
    glibc: '2.36',
    missingCommands: ['dd', 'useradd'],
    systemd: true,
  })
  expect(parseNeeds('undefined\n')).toEqual({ glibc: undefined, missingCommands: [], systemd: false })
})

test.each([
  ['2.9', '2.28', true],
  ['2.27', '2.28', true],
  ['2.28', '2.28', false],
  ['2.36', '2.28', false],
  ['3.0', '2.28', false],
  ['4.18.0-553.el8', '4.18', false],
  ['3.10.0', '4.18', true],
  ['5', '4.18', false],
])('%s is older than %s: %s', (version, than, older) => {
  expect(isOlder(version, than)).toBe(older)
})
