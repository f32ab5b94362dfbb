import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { withoutNewline } from '../../../src/config/credentials.ts'
import { judgeAccess, type Account } from '../../../src/config/live/account.ts'
import { exposure } from '../../../src/config/live/files.ts'
import { judgePassword, judgeTokenKey } from '../../../src/config/live/secrets.ts'
import { hiddenByUnit, readOnlyByUnit } from '../../../src/config/live/unit.ts'

describe('who else can read a secret file', () => {
  const groups = [100, 200]
  it.each([
    [0o100600, 0, undefined],
    [0o100640, 100, undefined],
    [0o100640, 200, undefined],
    [0o100640, 7, "the group 7, which is not one of the service's (mode 0640)"],
    [0o100644, 100, 'every account of this machine (mode 0644)'],
    [0o100604, 100, 'every account of this machine (mode 0604)'],
    // Writing and executing are no reading.
    [0o100611, 7, undefined],
  ])('is told from mode %o and group %d', (mode, gid, expected) => {
    expect(exposure({ mode, gid }, groups)).toBe(expected)
  })
})

describe('an access that was tried', () => {
  const may = () => Promise.resolve(true)
  const itself: Account = { user: 'app', groups: [], may }
  const inItsPlace: Account = { ...itself, standIn: { name: 'alice', why: 'only root can try as app' } }

  it('is certain where the account itself tried', () => {
    expect(judgeAccess('a.b', itself, true, 'read /x')).toEqual({
      path: 'a.b',
      kind: 'good',
      message: 'app can read /x',
    })
    expect(judgeAccess('a.b', itself, false, 'read /x')).toEqual({
      path: 'a.b',
      kind: 'problem',
      message: 'app cannot read /x',
    })
  })

  it('is a warning either way where somebody stood in', () => {
    expect(judgeAccess('a.b', inItsPlace, true, 'read /x')).toEqual({
      path: 'a.b',
      kind: 'warning',
      message: 'alice can read /x, but only root can try as app',
    })
    expect(judgeAccess('a.b', inItsPlace, false, 'read /x')).toMatchObject({
      kind: 'warning',
      message: 'alice cannot read /x, but only root can try as app',
    })
  })
})

describe('secrets', () => {
  it.each([
    ['', 0],
    ['\n', 0],
    ['\r\n', 0],
    ['secret', 6],
    ['secret\n', 6],
    ['secret\r\n', 6],
    ['secret\n\n', 7],
    ['schlüssel\n', 10],
  ])('are measured in bytes and without the newline at the end: %j', (text, length) => {
    expect(withoutNewline(Buffer.from(text)).length).toBe(length)
  })

  it('must have 32 bytes as a key of tokens', () => {
    const kinds = [31, 32].map((length) => judgeTokenKey('k', Buffer.from(`${'x'.repeat(length)}\n`)).kind)
    expect(kinds).toEqual(['problem', 'good'])
  })

  it('must not be empty as a password', () => {
    expect(['\n', 'p\n'].map((text) => judgePassword('k', Buffer.from(text)).kind)).toEqual(['problem', 'good'])
  })
})

describe('what the unit allows', () => {
  const unit = readFileSync(join(import.meta.dirname, '../../../templates/network_service.service'), 'utf8').split('\n')

  it('is what the template says', () => {
    expect(unit).toEqual(
      expect.arrayContaining([
        'ProtectHome=yes',
        'PrivateTmp=yes',
        'ProtectSystem=strict',
        'ReadWritePaths={{dataDir}} {{logDir}}',
        'AmbientCapabilities=CAP_NET_BIND_SERVICE',
        'CapabilityBoundingSet=CAP_NET_BIND_SERVICE',
      ]),
    )
  })

  it.each([
    ['/etc/network_system/key.pem', undefined],
    ['/homes/key.pem', undefined],
    ['/home/app/key.pem', 'the service does not see /home/app/key.pem: its unit hides /home (ProtectHome)'],
    ['/root/key.pem', 'the service does not see /root/key.pem: its unit hides /root (ProtectHome)'],
    ['/var/tmp/key.pem', 'the service does not see /var/tmp/key.pem: its unit hides /var/tmp (PrivateTmp)'],
  ])('leaves a file to be seen, or not: %s', (path, expected) => {
    expect(hiddenByUnit(path)).toBe(expected)
  })

  it.each([
    ['/var/log/network/server.log', undefined],
    ['/var/lib/network_system', undefined],
    ['/dev/stdout', undefined],
    [
      '/srv/logs/server.log',
      'the service cannot write /srv/logs/server.log: its unit allows that only below ' +
        '/var/lib/network_system and /var/log/network (ProtectSystem)',
    ],
  ])('leaves a place to be written, or not: %s', (path, expected) => {
    expect(readOnlyByUnit(path, ['/var/lib/network_system', '/var/log/network'])).toBe(expected)
  })
})
