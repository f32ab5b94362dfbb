import { describe, expect, test } from 'vitest'
import { commandsOf, showCommand } from '../../../../src/drivers/hosts/commands.ts'
import type { HostEffect } from '../../../../src/model/effects.ts'

const hash = 'a'.repeat(64)
const temporary = '/etc/x/.f.netops-new'
const place = { path: '/etc/x/f', mode: '0640' }
const begin = ['install', '-m', '0600', '/dev/null', temporary]
const end = [
  ['chmod', '0640', temporary],
  ['sync', temporary],
  ['mv', '-T', '--', temporary, '/etc/x/f'],
  ['sync', '/etc/x'],
]
const fill = ['dd', `of=${temporary}`, 'bs=1M', 'conv=fsync', 'status=none']
const check = [
  ...['sh', '-c'],
  `sum=$(openssl dgst -sha256 -r 2> /dev/null < "$0" || sha256sum < "$0") && [ "\${sum%% *}" = "$1" ] || { echo "its SHA-256 is \${sum%% *}" >&2; exit 1; }`,
  ...[temporary, hash],
]

const table: readonly [string, HostEffect, readonly (readonly string[])[]][] = [
  ['a folder', { kind: 'directory', path: '/d', mode: '0755' }, [['install', '-d', '-m', '0755', '/d']]],
  [
    'a folder with owner and group',
    { kind: 'directory', path: '/d', mode: '0750', owner: 'root:web' },
    [['install', '-d', '-m', '0750', '-o', 'root', '-g', 'web', '/d']],
  ],
  [
    "a folder with an owner, whose group is the owner's",
    { kind: 'directory', path: '/d', mode: '0750', owner: 'root' },
    [['install', '-d', '-m', '0750', '-o', 'root', '-g', 'root', '/d']],
  ],
  ['a text', { kind: 'write', ...place, content: 'x\n' }, [begin, fill, ...end]],
  [
    'a text with an owner',
    { kind: 'write', ...place, owner: 'root:web', content: 'x\n' },
    [begin, fill, ['chown', 'root:web', temporary], ...end],
  ],
  ['a pushed file', { kind: 'push', ...place, from: '/here', sha256: hash, size: 5 }, [begin, fill, check, ...end]],
  [
    'a file pushed by a run, apart from what another run pushes there',
    { kind: 'push', ...place, from: '/here', sha256: hash, size: 5, run: 'R' },
    [begin, fill, check, ...end].map((argv) => argv.map((word) => word.replace(temporary, `${temporary}-R`))),
  ],
  [
    'a copy',
    { kind: 'copy', ...place, from: '/from' },
    [begin, ['cp', '--reflink=auto', '--', '/from', temporary], ...end],
  ],
  [
    'a text that is put back',
    { kind: 'write', ...place, owner: 'root:web', content: 'x\n', unlessSame: true },
    [
      ['cmp', '-s', '--', '-', '/etc/x/f'],
      ...[begin, fill, ['chown', 'root:web', temporary], ...end],
      ...[
        ['chown', 'root:web', '/etc/x/f'],
        ['chmod', '0640', '/etc/x/f'],
      ],
    ],
  ],
  [
    'a copy that is put back',
    { kind: 'copy', ...place, from: '/from', unlessSame: true },
    [
      ['cmp', '-s', '--', '/from', '/etc/x/f'],
      ...[begin, ['cp', '--reflink=auto', '--', '/from', temporary], ...end],
      ['chmod', '0640', '/etc/x/f'],
    ],
  ],
  [
    'a checked copy',
    { kind: 'copy', ...place, from: '/from', sha256: hash },
    [begin, ['cp', '--reflink=auto', '--', '/from', temporary], check, ...end],
  ],
  [
    'a link',
    { kind: 'link', path: '/opt/current', target: 'releases/2' },
    [
      ['ln', '-sfn', '--', 'releases/2', '/opt/.current.netops-new'],
      ['mv', '-T', '--', '/opt/.current.netops-new', '/opt/current'],
      ['sync', '/opt'],
    ],
  ],
  ['a removed file', { kind: 'remove', path: '/f' }, [['rm', '-f', '--', '/f']]],
  ['a removed tree', { kind: 'remove-tree', path: '/t' }, [['rm', '-rf', '--', '/t']]],
  ['a removed empty folder', { kind: 'remove-empty', path: '/d' }, [['rmdir', '--', '/d']]],
  ['the account', { kind: 'account', user: 'web' }, [['useradd', '-r', '-s', '/bin/false', 'web']]],
  ['a check', { kind: 'check', argv: ['server', '--check-config'], code: 'usage' }, [['server', '--check-config']]],
]

describe('the commands of an effect', () => {
  test.each(table)('are exact for %s', (_, effect, commands) => {
    expect(commandsOf(effect).map(({ argv }) => argv)).toEqual(commands)
  })

  test('feed a text and a file to the commands that read them', () => {
    const fed = commandsOf({ kind: 'push', ...place, from: '/here', sha256: hash, size: 5 }).flatMap(
      ({ stdin }) => stdin ?? [],
    )
    expect(fed).toEqual([{ file: '/here', size: 5 }])
    expect(commandsOf({ kind: 'write', ...place, content: 'x\n' })[1]?.stdin).toEqual({ text: 'x\n' })
  })

  test('say of a push that may find its blocks on the host that those are not sent', () => {
    const bases = { releases: '/r', netops: '/n' }
    const [, filling] = commandsOf({ kind: 'push', ...place, from: '/here', sha256: hash, size: 5e6, bases })
    expect(filling && showCommand(filling)).toBe(
      `dd of=${temporary} bs=1M conv=fsync status=none < /here  # 5.0 MB, less the blocks that executables on the host have`,
    )
  })

  test('call a wrong hash damage, and a failed check what it was said to be', () => {
    const push = commandsOf({ kind: 'push', ...place, from: '/here', sha256: hash, size: 5 })
    expect(push.map(({ failAs }) => failAs)).toEqual([undefined, undefined, 'damaged', ...end.map(() => undefined)])
    expect(commandsOf({ kind: 'check', argv: ['true'], code: 'usage' })).toEqual([{ argv: ['true'], failAs: 'usage' }])
  })

  test('take as success what means that it is so already', () => {
    expect(commandsOf({ kind: 'account', user: 'web' })[0]?.okCodes).toEqual([0, 9])
    expect(commandsOf({ kind: 'remove-empty', path: '/d' })[0]?.okCodes).toEqual([0, 1])
  })
})

describe('a shown command', () => {
  test.each([
    ['as it is typed', { argv: ['rm', '-f', '--', '/a b'] }, "rm -f -- '/a b'"],
    [
      'with the file it reads and how large that is',
      { argv: ['cat'], stdin: { file: '/f', size: 1_200_000 } },
      'cat < /f  # 1.2 MB',
    ],
    ['with a line it reads', { argv: ['cat'], stdin: { text: 'a b\n' } }, "cat <<< 'a b'"],
    ['with how many lines it reads', { argv: ['cat'], stdin: { text: 'a\nb\nc\n' } }, 'cat < (3 lines)'],
    ['with how many lines it reads, the last not ended', { argv: ['cat'], stdin: { text: 'a\nb' } }, 'cat < (2 lines)'],
  ])('is printed %s', (_, command, line) => {
    expect(showCommand(command)).toBe(line)
  })
})
