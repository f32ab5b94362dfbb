import { describe, expect, test } from 'vitest'
import { distrustOf, type OnTheWay } from '../../../src/model/folder-trust.ts'

const entry = (changes: Partial<OnTheWay> = {}): OnTheWay => ({
  path: '/etc/network',
  kind: 'folder',
  mode: 0o755,
  uid: 0,
  user: 'root',
  group: 'root',
  isListed: false,
  ...changes,
})
const alice = { uid: 1000, user: 'alice', group: 'alice' }
const tmp = { mode: 0o1777 }

describe('what lies on the way', () => {
  test.each<[string, OnTheWay, [number, 'way' | 'place'], string | undefined]>([
    ["root's folder", entry(), [0, 'place'], undefined],
    ["root's folder, for another account", entry(), [1000, 'place'], undefined],
    ["the account's own folder", entry(alice), [1000, 'place'], undefined],
    ["another account's folder, for root", entry(alice), [0, 'way'], 'belongs to alice'],
    ["another account's folder, for a third", entry(alice), [1001, 'way'], 'belongs to alice'],
    [
      "another account's link",
      entry({ ...alice, kind: 'link', mode: 0o777 }),
      [0, 'way'],
      'is a link that belongs to alice',
    ],
    ["root's link, whose mode says nothing", entry({ kind: 'link', mode: 0o777 }), [0, 'way'], undefined],
    ['a folder that anybody may write to', entry({ mode: 0o777 }), [0, 'way'], 'may be written to by anybody'],
    ['one like /tmp, to go through', entry(tmp), [0, 'way'], undefined],
    ['one like /tmp, to put something into', entry(tmp), [0, 'place'], 'may be written to by anybody'],
    ["a group's folder", entry({ mode: 0o2775, group: 'devs' }), [0, 'way'], 'may be written to by the group devs'],
    ['a folder of an account and its own group', entry({ ...alice, mode: 0o775 }), [1000, 'place'], undefined],
    ['one that the group of root may write to', entry({ mode: 0o775 }), [1000, 'place'], undefined],
    ['/usr/local as Debian once made it', entry({ mode: 0o2775, group: 'staff' }), [0, 'place'], undefined],
    [
      'one whose group may write, by a list of accounts',
      entry({ mode: 0o775, isListed: true }),
      [0, 'place'],
      'has an access control list that lets others write to it',
    ],
    ['one whose list lets nobody write', entry({ isListed: true }), [0, 'place'], undefined],
  ])('%s', (_, given, [uid, as], why) => {
    expect(distrustOf(given, uid, as)?.why).toBe(why)
  })

  test('comes with the command that makes it fit', () => {
    expect(distrustOf(entry(alice), 0, 'way')?.remedy).toEqual(['chown', 'root', '/etc/network'])
    expect(distrustOf(entry({ mode: 0o777 }), 0, 'way')?.remedy).toEqual(['chmod', 'go-w', '/etc/network'])
  })
})
