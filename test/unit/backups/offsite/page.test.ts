import { describe, expect, test } from 'vitest'
import { copyName, pageFile, parsePageName } from '../../../../src/backups/offsite/names.ts'
import { pageText, parsePage } from '../../../../src/backups/offsite/page.ts'
import { backupEntryOf } from '../../../support/backups.ts'
import { errorOf } from '../../../support/storage-contract.ts'

const entry = backupEntryOf(Date.parse('2026-11-27T02:00:00Z'))
const { id } = entry
const [one, two, three] = ['a', 'b', 'c'].map((digit) => digit.repeat(64)) as [string, string, string]
const of = { host: 'web1', id }
const objects = [
  {
    part: 'archive' as const,
    name: copyName(of, `${id}.tar.gz`, { sha256: one, encrypted: true }),
    bytes: 1,
    sha256: one,
  },
  {
    part: 'index' as const,
    name: copyName(of, `${id}.index.gz`, { sha256: two, encrypted: true }),
    bytes: 2,
    sha256: two,
  },
  {
    part: 'manifest' as const,
    name: copyName(of, `${id}.manifest.json`, { sha256: three, encrypted: true }),
    bytes: 3,
    sha256: three,
  },
]
const text = pageText(entry, 'web1', { encrypted: true, objects })
const name = copyName(of, pageFile(id), { sha256: 'd'.repeat(64), encrypted: false })

describe('the names of copies', () => {
  test('hold host, id and hash, and say whether it is encrypted', () => {
    expect(objects[0]?.name).toBe('web1/config_20261127_020000.aaaaaaaaaaaa.tar.gz.age')
    expect(name).toBe('web1/config_20261127_020000.dddddddddddd.copy.json')
    expect(parsePageName(name)).toEqual({ host: 'web1', id })
  })

  test.each(['web1/x.copy.json', `web1/${id}.copy.json`, `a/b/${id}.dddddddddddd.copy.json`, objects[0]?.name ?? ''])(
    'of others are no pages: %s',
    (other) => {
      expect(parsePageName(other)).toBeUndefined()
    },
  )
})

describe('the page of a copy', () => {
  test('says what it said when it was written', () => {
    expect(parsePage(text, name)).toMatchObject({ id, host: 'web1', encrypted: true, objects, bytes: entry.bytes })
  })

  const changed = (change: Readonly<Record<string, unknown>>): string =>
    JSON.stringify({ ...(JSON.parse(text) as object), ...change })
  const [first] = objects
  test.each([
    ['text that is no JSON', 'x'],
    ['another backup', changed({ id: 'config_20261126_020000' })],
    ['another host', changed({ host: 'web2' })],
    ['a part twice', changed({ objects: [first, first, first] })],
    ['a part less', changed({ objects: objects.slice(1) })],
    [
      'an object of another host',
      changed({ objects: [{ ...first, name: first?.name.replace('web1', 'web2') }, ...objects.slice(1)] }),
    ],
    ['a path out of the place', changed({ objects: [{ ...first, name: '../../etc/shadow' }, ...objects.slice(1)] })],
    ['a field of somebody else', changed({ more: 1 })],
  ])('is damaged when it is %s', async (_, given) => {
    expect((await errorOf(Promise.resolve().then(() => parsePage(given, name)))).code).toBe('damaged')
  })

  test('of a newer netops is refused', async () => {
    const newer = changed({ schema: 'netops/copy/v2' })
    expect((await errorOf(Promise.resolve().then(() => parsePage(newer, name)))).code).toBe('refused')
  })
})
