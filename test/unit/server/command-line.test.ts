// What decides how network_server runs, before anything is started: flags, the release's name, where the log goes.
import { describe, expect, it, test } from 'vitest'
import { parseServerConfig } from '../../../src/config/server-config.ts'
import { serverSettings } from '../../../src/model/tuning.ts'
import { help, parseFlags } from '../../../src/server/flags.ts'
import { logTargets } from '../../../src/server/logger.ts'
import { releaseOf } from '../../../src/server/release.ts'

describe('flags', () => {
  it.each([
    [[], { kind: 'serve', config: undefined, root: '/' }],
    [['--config', 'a.yaml', '--root', '/srv/x'], { kind: 'serve', config: 'a.yaml', root: '/srv/x' }],
    [['--check-config', '--config=a.yaml'], { kind: 'check', config: 'a.yaml', root: '/' }],
    [['--version'], { kind: 'version' }],
    [['--help', '--version'], { kind: 'help' }],
  ])('%j are understood', (argv, request) => {
    expect(parseFlags(argv)).toEqual(request)
  })

  it.each([
    [['--conifg', 'a'], "Unknown option '--conifg'"],
    [['a.yaml'], "Unexpected argument 'a.yaml'"],
    [['--config'], "Option '--config <value>' argument missing"],
    [['--root='], '--root needs a value'],
    [['--version=2'], "Option '--version' does not take an argument"],
  ])('%j are refused with the known options as a hint', (argv, message) => {
    expect(() => parseFlags(argv)).toThrow(
      expect.objectContaining({
        code: 'usage',
        message: expect.stringContaining(message) as string,
        hint: 'known options: --config, --check-config, --root, --version, --help',
      }) as Error,
    )
  })
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

describe('log targets', () => {
  const targets = (text: string) => logTargets(parseServerConfig(text, 'config.yaml'))
  const file = (path: string, level = 'INFO') => ({ kind: 'file', level, path })

  it.each([
    ['', [{ kind: 'console', level: 'INFO' }]],
    ['logging: { level: ERROR, file: /a }', [{ kind: 'console', level: 'ERROR' }, file('/a', 'ERROR')]],
    ['logging: { outputs: [{ type: file, path: /a, level: DEBUG }] }', [file('/a', 'DEBUG')]],
    ['logging: { file: /a, outputs: [{ type: file, path: /a }] }', [file('/a')]],
    ['logging: { file: /a, outputs: [{ type: file, path: /b }] }', [file('/b'), file('/a')]],
    ['logging: { level: WARN, outputs: [{ type: syslog }] }', [{ kind: 'console', level: 'WARN' }]],
  ])('of %j are those that it names', (text, expected) => {
    expect(targets(text)).toEqual(expected)
  })
})
