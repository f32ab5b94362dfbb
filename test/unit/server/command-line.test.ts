// What decides how network_server runs, before anything is started: flags, the release's name, where the log goes.
import { describe, expect, it, test } from 'vitest'
import { serverSettings } from '../../../src/model/tuning.ts'
import { help, parseFlags } from '../../../src/server/flags.ts'
import { releaseOf } from '../../../src/server/release.ts'

describe('flags', () => {
  it.each([
    [[], { kind: 'serve' }],
    [['--config', 'a.yaml', '--root', '/srv/x'], { kind: 'serve', config: 'a.yaml', root: '/srv/x' }],
    [['--check-config', '--config=a.yaml'], { kind: 'check', config: 'a.yaml' }],
    [
      ['--set', 'server.port=81', '--set=logging.level=WARN'],
      { kind: 'serve', set: ['server.port=81', 'logging.level=WARN'] },
    ],
    [['migrate'], { kind: 'migrate' }],
    [['migrate', '--dry-run', '--config', 'a'], { kind: 'migrate', dryRun: true, config: 'a' }],
    [
      ['--check-config', '--instead', '/a=b', '--instead=/c=d=e'],
      {
        kind: 'check',
        instead: new Map([
          ['/a', 'b'],
          ['/c', 'd=e'],
        ]),
      },
    ],
  ])('%j are understood', (argv, request) => {
    const usual = { config: undefined, root: '/', set: [], instead: new Map(), dryRun: false }
    expect(parseFlags(argv)).toEqual({ ...usual, ...request })
  })

  it.each([
    [['--version'], 'version'],
    [['--help', '--version'], 'help'],
  ])('%j asks for a text alone', (argv, kind) => {
    expect(parseFlags(argv)).toEqual({ kind })
  })

  it.each([
    [['--conifg', 'a'], "Unknown option '--conifg'"],
    [['a.yaml'], "Unexpected argument 'a.yaml'"],
    [['--config'], "Option '--config <value>' argument missing"],
    [['--root='], '--root needs a value'],
    [['--version=2'], "Option '--version' does not take an argument"],
    [['--instead', '/a=b'], '--instead is only for --check-config'],
    [['--dry-run'], '--dry-run is only for migrate'],
    [['--dry-run', 'migrate'], "Unexpected argument 'migrate'"],
    [['migrate', '--check-config'], 'migrate checks nothing'],
  ])('%j are refused with the known options as a hint', (argv, message) => {
    expect(() => parseFlags(argv)).toThrow(
      expect.objectContaining({
        code: 'usage',
        message: expect.stringContaining(message) as string,
        hint: 'known options: --config, --set, --check-config, --instead, --dry-run, --root, --version, --help',
      }) as Error,
    )
  })

  it.each([
    [['--instead', 'a=b'], '--instead: expected PATH=FILE, PATH as the configuration names it'],
    [['--instead', '/a='], '--instead: expected PATH=FILE, PATH as the configuration names it'],
    [['--instead', '/a=b', '--instead', '/a=c'], '--instead names /a twice'],
  ])('%j are refused, because nobody could tell what would be read', (argv, message) => {
    expect(() => parseFlags(['--check-config', ...argv])).toThrow(message)
  })
})

test('help says that each key is a variable', () => {
  expect(help).toContain('NETWORK_<SECTION>_<KEY>')
})

test.each([
  'SERVER_HOST',
  'SERVER_PORT',
  'LOG_LEVEL',
  'SSL_ENABLED',
  'MAX_CONNECTIONS',
  ...Object.values(serverSettings),
])('help names the variable %s', (name) => {
  expect(help).toContain(name)
})

describe('the release', () => {
  const inRelease = '/opt/network_system/releases/1.2.0-0123456789ab/network_server'

  it.each([
    [inRelease, {}, '1.2.0-0123456789ab'],
    [inRelease, { NETWORK_RELEASE: 'other' }, '1.2.0-0123456789ab'],
    ['/usr/local/bin/network_server', { NETWORK_RELEASE: '1.2.0-x' }, '1.2.0-x'],
    ['/usr/local/bin/network_server', { NETWORK_RELEASE: '' }, '9.9.9'],
    ['/usr/local/bin/network_server', {}, '9.9.9'],
    ['/opt/releases/two words/network_server', {}, '9.9.9'],
    ['/network_server', {}, '9.9.9'],
  ])('of %s with %j is %s', (executable, env, release) => {
    expect(releaseOf(executable, env, '9.9.9')).toBe(release)
  })

  it('must be fit for a header when the environment names it', () => {
    expect(() => releaseOf('/bin/x', { NETWORK_RELEASE: 'a\r\nX-Evil: 1' }, '9.9.9')).toThrow(
      'NETWORK_RELEASE: expected',
    )
  })
})
