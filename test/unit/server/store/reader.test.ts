// Reading the file of the SQLite store in the thread that serves, beside the one that writes.
import { mkdtempSync, renameSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { ListRequest, RecordId, Store } from '../../../../src/server/store/port.ts'
import { openCommits } from '../../../../src/server/store/sqlite/commits.ts'
import { createSqliteReader } from '../../../../src/server/store/sqlite/reader.ts'
import { createSqliteStore } from '../../../../src/server/store/sqlite/store.ts'

let folder = ''
let file = ''
const open = new Set<Pick<Store, 'close'>>()
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'netops-reader-'))
  file = join(folder, 'state.db')
})
afterEach(async () => {
  for (const one of open) await one.close()
  open.clear()
  rmSync(folder, { recursive: true })
})

const closing = <T extends Pick<Store, 'close'>>(one: T): T => {
  open.add(one)
  return one
}

/** A store, a reader beside it, and how many reads went over the store. */
function both() {
  const commits = openCommits()
  const store = createSqliteStore({ file, commits })
  let asked = 0
  const keeper = {
    get: (id: RecordId) => ((asked += 1), store.get(id)),
    list: (request: ListRequest) => ((asked += 1), store.list(request)),
    place: () => Promise.resolve(store.place?.()),
  }
  const reader = createSqliteReader(file, keeper, commits)
  // The reader first: the last one to close a file tidies up.
  closing(reader)
  return { store: closing(store), reader, asked: () => asked }
}

const put = (store: Store, key: string, value: string) =>
  store.write({ collection: 'c', key, value, condition: { kind: 'always' } })
const id = (key: string) => ({ collection: 'c', key })

it('asks the store at first, and reads by itself once it knows the file', async () => {
  const { store, reader, asked } = both()
  expect(await reader.get(id('a'))).toBeUndefined()
  await put(store, 'a', '1')
  await reader.get(id('a'))
  const before = asked()
  for (let n = 2; n < 20; n += 1) {
    await put(store, 'a', `${n}`)
    expect((await reader.get(id('a')))?.value).toBe(`${n}`)
  }
  expect((await reader.list({ collection: 'c', prefix: '', after: '', limit: 9 })).records).toHaveLength(1)
  expect(asked()).toBe(before)
})

it('reads what was acknowledged in the same turn of the loop', async () => {
  const { store, reader, asked } = both()
  await put(store, 'a', '0')
  for (let n = 0; n < 2; n += 1) await reader.get(id('a'))
  const before = asked()
  for (let turn = 1; turn <= 20; turn += 1) {
    // Read before the write is acknowledged and right after it: no turn begins in between.
    const write = put(store, 'a', `${turn}`).then(() => reader.get(id('a')))
    expect((await reader.get(id('a')))?.value).toBe(`${turn - 1}`)
    expect((await write)?.value).toBe(`${turn}`)
  }
  expect(asked()).toBe(before)
})

it('holds nothing of the file when its turn is over', async () => {
  const { store, reader } = both()
  await put(store, 'a', '1')
  for (let n = 0; n < 3; n += 1) await reader.get(id('a'))
  await nextTurn()
  const other = new DatabaseSync(file)
  expect(other.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()).toMatchObject({ busy: 0 })
  other.close()
})

it('reads what was there while another process writes', async () => {
  const { store, reader, asked } = both()
  await put(store, 'a', '1')
  for (let n = 0; n < 2; n += 1) await reader.get(id('a'))
  const before = asked()
  const other = new DatabaseSync(file)
  other.exec("BEGIN IMMEDIATE; UPDATE records SET value = '2'")
  expect((await reader.get(id('a')))?.value).toBe('1')
  other.exec('COMMIT')
  other.close()
  // What one turn of the loop reads is of one moment, unless this process writes.
  await nextTurn()
  expect((await reader.get(id('a')))?.value).toBe('2')
  expect(asked()).toBe(before)
})

it('tells what the store tells when the file is gone, and reads it when it is back', async () => {
  const { store, reader, asked } = both()
  await put(store, 'a', '1')
  for (let n = 0; n < 2; n += 1) await reader.get(id('a'))
  renameSync(file, `${file}.away`)
  await expect(reader.get(id('a'))).rejects.toThrow('is not there any more')
  renameSync(`${file}.away`, file)
  for (let n = 2; n < 5; n += 1) {
    await put(store, 'a', `${n}`)
    expect((await reader.get(id('a')))?.value).toBe(`${n}`)
  }
  const before = asked()
  await reader.get(id('a'))
  expect(asked()).toBe(before)
})

it.each(['the reader', 'the store'])(
  'goes over to a file that replaced the old one when %s sees it first',
  async (who) => {
    const { store, reader } = both()
    // Several, with logs of their own that must not be mixed.
    for (let n = 1; n <= 3; n += 1) {
      for (let key = 0; key < 50; key += 1) await put(store, `k${key}`, `${n}`)
      for (let read = 0; read < 3; read += 1) expect((await reader.get(id('k1')))?.value).toBe(`${n}`)
      const other = createSqliteStore({ file: `${file}.other` })
      for (let key = 0; key < 60; key += 1) await put(other, `k${key}`, `${-n}`)
      await other.close()
      renameSync(`${file}.other`, file)
      const first = who === 'the store' ? put(store, 'new', '1') : reader.get(id('k1'))
      await expect(first).rejects.toThrow('was replaced')
      for (let read = 0; read < 3; read += 1) expect((await reader.get(id('k1')))?.value).toBe(`${-n}`)
      expect(await reader.get(id('new'))).toBeUndefined()
      const db = new DatabaseSync(file)
      expect(db.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' })
      db.close()
    }
  },
)

it('shares no log and no index with a new file while it has the old one open', async () => {
  const { store, reader } = both()
  await put(store, 'a', '1')
  for (let n = 0; n < 2; n += 1) await reader.get(id('a'))
  const beside = () => ['-wal', '-shm'].map((suffix) => statSync(`${file}${suffix}`).ino)
  const before = beside()
  const other = createSqliteStore({ file: `${file}.other` })
  await put(other, 'a', '2')
  await other.close()
  renameSync(`${file}.other`, file)
  await expect(store.verify()).rejects.toThrow('was replaced')
  // The reader has nothing to read meanwhile, and so has not seen it.
  await put(store, 'b', '2')
  for (const [index, inode] of beside().entries()) expect(inode).not.toBe(before[index])
  expect((await reader.get(id('b')))?.value).toBe('2')
})
