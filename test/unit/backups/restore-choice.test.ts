import { describe, expect, test } from 'vitest'
import { chooseBackup, inCatalogue, proofOf, topsOf } from '../../../src/backups/restore-choice.ts'
import { backupEntryOf } from '../../support/backups.ts'

const at = (text: string, differences = {}) => backupEntryOf(Date.parse(text), differences)
const damage = { at: '2026-11-27T03:00:00Z', what: ['a flipped bit'] }
const candidates = inCatalogue([
  at('2026-11-27T02:00:00Z', { damage }),
  at('2026-11-26T02:00:00Z'),
  at('2026-11-25T02:00:00Z'),
  at('2026-11-24T02:00:00Z', { kind: 'database' }),
])

describe('which backup is meant', () => {
  test.each([
    ['latest', 'config_20261126_020000'],
    ['config_20261125_020000', 'config_20261125_020000'],
    ['2026-11-26T02:00:00Z', 'config_20261126_020000'],
    ['2026-11-26T02:59:59+01:00', 'config_20261125_020000'],
    ['2026-11-26 01:59', 'config_20261125_020000'],
    ['2026-11-25', 'config_20261125_020000'],
  ])('%s is %s', (which, id) => {
    expect(chooseBackup(which, candidates, 'here').id).toBe(id)
  })

  test.each([
    ['config_20261127_020000', 'damaged'],
    ['2026-11-24T23:00:00Z', 'failed'],
    ['config_20000101_000000', 'failed'],
    ['database_20261124_020000', 'failed'],
    ['2026-13-45', 'usage'],
    ['', 'usage'],
    ['../../etc', 'usage'],
  ])('%s is refused as %s', (which, code) => {
    expect(() => chooseBackup(which, candidates, 'here')).toThrow(expect.objectContaining({ code }) as Error)
  })

  test('says how sure it is that it is whole', () => {
    const verified = { at: '2026-11-26T02:05:00Z', how: 'stored', share: 1 } as const
    expect([undefined, at('2026-11-26T02:00:00Z'), at('2026-11-26T02:00:00Z', { verified })].map(proofOf)).toEqual([
      'in no catalogue',
      'never verified',
      'verified 2026-11-26T02:05:00Z',
    ])
  })
})

describe('what of it is restored', () => {
  const roots = ['etc/network', 'etc/network_system', 'var/lib/network_system']
  test.each([
    [[], roots],
    [['config'], ['etc/network', 'etc/network_system']],
    [['state'], ['var/lib/network_system']],
    [
      ['/etc/network/server.key', 'state'],
      ['etc/network/server.key', 'var/lib/network_system'],
    ],
    [['/etc/network/ä/'], ['etc/network/Ã¤']],
  ])('%j is %j', (only, names) => {
    expect(topsOf(only, roots)).toEqual(names)
  })

  test.each([[['etc/network']], [['/etc/../x']], [['/']], [['//etc']]])('%j is no path', (only) => {
    expect(() => topsOf(only, roots)).toThrow(expect.objectContaining({ code: 'usage' }) as Error)
  })
})
