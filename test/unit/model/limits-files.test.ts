import { describe, expect, test } from 'vitest'
import { laterInUnit, limitConflicts, unitSetter } from '../../../src/model/limits-files.ts'

const ours = '/etc/security/limits.d/90-network-system.conf'
const limit = { account: { name: 'network_service', uid: 998 }, item: 'nofile', value: '1000000' }
const conflicts = (path: string, ...lines: string[]) => {
  const found = limitConflicts(limit, [{ path, text: lines.join('\n') }], ours)
  return { winning: found.winning.map(({ line }) => line), losing: found.losing.map(({ line }) => line) }
}
const later = '/etc/security/limits.d/99-x.conf'
const earlier = '/etc/security/limits.d/10-x.conf'
const main = '/etc/security/limits.conf'

describe('a line about the limit of an account', () => {
  test.each<[string, string, string, 'winning' | 'losing' | 'neither']>([
    ['of the account in a later file', later, 'network_service soft nofile 5', 'winning'],
    ['for both limits', later, 'network_service - nofile 5', 'winning'],
    ['of a range that holds the account', later, '900:1000 hard nofile 5', 'winning'],
    ['of all from a number on', later, '900: hard nofile 5', 'winning'],
    ['of the account by its number', later, ':998 hard nofile 5', 'winning'],
    ['of a range beside it', later, '1000:2000 hard nofile 5', 'neither'],
    ['of the account in an earlier file', earlier, 'network_service soft nofile 5', 'losing'],
    ['of the account in limits.conf', main, 'network_service soft nofile 5', 'losing'],
    ['of everybody, however late', later, '* soft nofile 5', 'losing'],
    ['of a group, however late', later, '@staff - nofile 5', 'losing'],
    ['of another account', later, 'postgres soft nofile 5', 'neither'],
    ['of another item', later, 'network_service soft core 5', 'neither'],
    ['that says the same', later, 'network_service soft nofile 1000000', 'neither'],
    ['that is a comment', later, '# network_service soft nofile 5', 'neither'],
    ['that is not whole', later, 'network_service soft nofile', 'neither'],
    ['that takes the account out of all limits', earlier, 'network_service -', 'winning'],
  ])('%s is found', (_, path, line, where) => {
    expect(conflicts(path, '', line)).toEqual({
      winning: [],
      losing: [],
      ...(where === 'neither' ? {} : { [where]: [2] }),
    })
  })

  test('is no conflict in our own file', () => {
    expect(conflicts(ours, 'network_service soft nofile 5')).toEqual({ winning: [], losing: [] })
  })
})

describe('unit files', () => {
  const drop = '/etc/systemd/system/network_service.service.d'
  const mine = { path: `${drop}/90-network-system.conf`, text: '[Service]\nLimitNOFILE=1000000\n' }
  const fragment = { path: '/etc/systemd/system/network_service.service', text: '[Service]\nLimitNOFILE=7\n' }
  const other = (name: string, text: string) => ({ path: `${drop}/${name}`, text })

  test.each<[string, string, string, number]>([
    ['a later drop-in with another value', '99-x.conf', '[Service]\nLimitNOFILE=5', 1],
    ['a later drop-in with the same value', '99-x.conf', '[Service]\nLimitNOFILE=1000000', 0],
    ['an earlier drop-in', '10-x.conf', '[Service]\nLimitNOFILE=5', 0],
    ['another section', '99-x.conf', '[Socket]\nLimitNOFILE=5', 0],
    ['another setting', '99-x.conf', '[Service]\nLimitNPROC=5', 0],
  ])('%s', (_, name, text, count) => {
    expect(laterInUnit('LimitNOFILE', '1000000', [fragment, mine, other(name, text)], mine.path)).toHaveLength(count)
  })

  test('have the last word in the order in which they are read', () => {
    expect(unitSetter('LimitNOFILE', [fragment, mine])).toMatchObject({ path: mine.path, line: 2, value: '1000000' })
    expect(unitSetter('LimitCORE', [fragment, mine])).toBeUndefined()
  })
})
