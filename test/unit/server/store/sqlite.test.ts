// What is SQLite's own in the store: the file and its faults, shared transactions, migrations, expiry.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { dataSchema } from '../../../../src/model/data-schema.ts'
import { parseServerConfig } from '../../../../src/config/server-config.ts'
import { checkDatabase } from '../../../../src/server/checks.ts'
import { migrateStore } from '../../../../src/server/store/migrate.ts'
import { idempotencyKeptMs, StoreUnavailable, type Write } from '../../../../src/server/store/port.ts'
import type { SchemaChange } from '../../../../src/server/store/sqlite/schema.ts'
import { createSqliteStore, type SqliteStore } from '../../../../src/server/store/sqlite/store.ts'

let folder = ''
let file = ''
const stores = new Set<SqliteStore>()
let changes: SchemaChange[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'netops-sqlite-'))
  file = join(folder, 'state.db')
  changes = []
})
afterEach(async () => {
  await Promise.all([...stores].map((store) => store.close()))
  stores.clear()
  rmSync(folder, { recursive: true })
})

const open = (now?: () => number): SqliteStore => {
  const store = createSqliteStore({
    file,
    onMigrated: (change) => changes.push(change),
    ...(now === undefined ? {} : { now }),
  })
  stores.add(store)
  return store
}
const put = (key: string, value = '1', more: Partial<Write> = {}): Write => ({
  ...{ collection: 'c', key, value, condition: { kind: 'always' } },
  ...more,
})
const id = (key: string) => ({ collection: 'c', key })
const unavailable = (reason: string) =>
  expect.objectContaining({ name: 'StoreUnavailable', reason: expect.stringContaining(reason) as string }) as Error
const sql = <T>(work: (db: DatabaseSync) => T, path = file): T => {
  const db = new DatabaseSync(path)
  try {
    return work(db)
  } finally {
    db.close()
  }
}

describe('the file', () => {
  it('is made with its folder at the first use, and its log is synced with every commit', async () => {
    file = join(folder, 'deep', 'er', 'state.db')
    expect([await checkDatabase(open()), await checkDatabase(open())]).toEqual([undefined, undefined])
    expect(sql((db) => db.prepare('SELECT count(*) AS rows FROM health_check').get())).toEqual({ rows: 1 })
    expect(sql((db) => db.prepare('PRAGMA journal_mode').get())).toEqual({ journal_mode: 'wal' })
  })

  it('is not made anew when it is gone, and is used again when it is back', async () => {
    const store = open()
    await store.write(put('a'))
    renameSync(file, `${file}.away`)
    for (let n = 0; n < 2; n += 1) {
      expect((await checkDatabase(store))?.detail).toContain('ENOENT')
      await expect(store.write(put('b'))).rejects.toThrow(unavailable('is not there any more'))
      await expect(store.get(id('a'))).rejects.toThrow(unavailable('is not there any more'))
    }
    renameSync(`${file}.away`, file)
    expect(await checkDatabase(store)).toBeUndefined()
    expect(await store.get(id('a'))).toMatchObject({ value: '1' })
    expect(await store.get(id('b'))).toBeUndefined()
  })

  it('is noticed to be another one, which is used from then on', async () => {
    const store = open()
    await store.write(put('a', '"old"'))
    const other = createSqliteStore({ file: `${file}.other` })
    await other.write(put('a', '"new"'))
    await other.close()
    renameSync(`${file}.other`, file)
    await expect(store.write(put('b'))).rejects.toThrow(unavailable('was replaced'))
    // With nothing of the old one's log in it.
    expect(await store.get(id('a'))).toMatchObject({ value: '"new"' })
    expect(await store.get(id('b'))).toBeUndefined()
    expect(sql((db) => db.prepare('PRAGMA integrity_check').get())).toEqual({ integrity_check: 'ok' })
  })

  it('that was moved aside for another one has all that was written to it', async () => {
    const store = open()
    await Promise.all(Array.from({ length: 50 }, (_, n) => store.write(put(`k${n}`))))
    const other = createSqliteStore({ file: `${file}.other` })
    await other.verify()
    await other.close()
    renameSync(file, `${file}.before`)
    renameSync(`${file}.other`, file)
    await expect(store.verify()).rejects.toThrow(unavailable('was replaced'))
    expect(await store.get(id('k1'))).toBeUndefined()
    const rows = sql((db) => db.prepare('SELECT count(*) AS rows FROM records').get(), `${file}.before`)
    expect(rows).toEqual({ rows: 50 })
  })

  it('is not used where it is no database, or a folder', async () => {
    writeFileSync(file, 'this is not a database, and long enough to be looked at as one: '.repeat(20))
    await expect(open().get(id('a'))).rejects.toThrow(unavailable('is not a database'))
    unlinkSync(file)
    mkdirSync(file)
    await expect(open().get(id('a'))).rejects.toThrow(unavailable('cannot be opened'))
  })

  it('is used as soon as it can be', async () => {
    const store = open()
    mkdirSync(file)
    await expect(store.write(put('a'))).rejects.toThrow(unavailable('cannot be opened'))
    rmSync(file, { recursive: true })
    expect(await store.write(put('a'))).toMatchObject({ kind: 'created' })
  })

  it('with a newer data schema is left alone', async () => {
    sql((db) => db.exec('PRAGMA user_version = 7'))
    const reason = `the database has data schema 7, and this release knows only up to ${dataSchema.writes}`
    expect((await checkDatabase(open()))?.reason).toBe(reason)
    expect(sql((db) => db.prepare('PRAGMA user_version').get())).toEqual({ user_version: 7 })
  })

  it('is read, and not written, while another process writes for long', async () => {
    const store = open()
    await store.write(put('a'))
    const other = new DatabaseSync(file)
    other.exec('BEGIN IMMEDIATE')
    const writes = await Promise.allSettled(['b', 'c', 'd'].map((key) => store.write(put(key))))
    for (const one of writes) expect(one).toMatchObject({ reason: unavailable('locked by another process') })
    expect(await store.get(id('a'))).toMatchObject({ value: '1' })
    other.exec('ROLLBACK')
    other.close()
    expect(await store.write(put('b'))).toMatchObject({ kind: 'created' })
  })

  it('that is damaged is told so', async () => {
    const store = open()
    await Promise.all(Array.from({ length: 500 }, (_, n) => store.write(put(`${n}`, JSON.stringify('x'.repeat(500))))))
    await store.close()
    const { size } = statSync(file)
    truncateSync(file, 8192)
    truncateSync(file, size)
    await expect(open().list({ collection: 'c', prefix: '', after: '', limit: 1000 })).rejects.toThrow(
      unavailable('damaged'),
    )
  })
})

describe('transactions', () => {
  it('are shared by what comes at once, and each write has its own outcome', async () => {
    const store = open()
    await store.write(put('a'))
    const before = store.stats()
    const many = Array.from({ length: 200 }, (_, n) => store.write(put(`k${n}`)))
    const refused = store.write(put('a', '2', { condition: { kind: 'absent' } }))
    expect((await Promise.all(many)).every(({ kind }) => kind === 'created')).toBe(true)
    expect(await refused).toEqual({ kind: 'condition-failed' })
    const after = store.stats()
    expect(after.commits - before.commits).toBe(1)
    expect(after.writes - before.writes).toBe(200)
    expect(after.waiting).toBe(0)
  })

  it('see, in the order in which they came, what those before them wrote', async () => {
    const store = open()
    const outcomes = await Promise.all([
      store.write(put('a', '1', { condition: { kind: 'absent' } })),
      store.write(put('a', '2', { condition: { kind: 'absent' } })),
      store.write(put('a', undefined, { value: undefined, condition: { kind: 'present' } })),
      store.write(put('a', '3', { condition: { kind: 'absent' } })),
    ])
    expect(outcomes.map(({ kind }) => kind)).toEqual(['created', 'condition-failed', 'deleted', 'created'])
  })

  it('go on without a write that fails alone', async () => {
    const store = open()
    await store.get(id('a'))
    sql((db) =>
      db.exec(`CREATE TRIGGER refuse BEFORE INSERT ON records WHEN NEW.key = 'bad'
               BEGIN SELECT RAISE(ABORT, 'not this one'); END`),
    )
    const [good, bad, other] = await Promise.allSettled([
      store.write(put('a')),
      store.write(put('bad')),
      store.write(put('b')),
    ])
    expect(bad).toMatchObject({ status: 'rejected', reason: { message: 'not this one' } })
    expect(bad.status === 'rejected' && bad.reason instanceof StoreUnavailable).toBe(false)
    for (const one of [good, other]) expect(one).toMatchObject({ value: { kind: 'created' } })
    expect(store.stats().commits).toBe(1)
    const { records } = await store.list({ collection: 'c', prefix: '', after: '', limit: 9 })
    expect(records.map(({ key }) => key)).toEqual(['a', 'b'])
  })

  it('keep nothing of a write of which a part fails', async () => {
    const store = open()
    await store.get(id('a'))
    sql((db) =>
      db.exec(`CREATE TRIGGER refuse BEFORE INSERT ON idempotency BEGIN SELECT RAISE(ABORT, 'not this one'); END`),
    )
    const [good, bad] = await Promise.allSettled([
      store.write(put('a')),
      store.write(put('bad', '1', { idempotency: { key: 'k', request: 'r' } })),
    ])
    expect(good).toMatchObject({ value: { kind: 'created' } })
    expect(bad).toMatchObject({ reason: { message: 'not this one' } })
    expect(await store.get(id('bad'))).toBeUndefined()
    expect(await store.get(id('a'))).toMatchObject({ value: '1' })
  })

  it('that are large come one after the other, with all in them', async () => {
    const store = open()
    const value = JSON.stringify('x'.repeat(4 * 2 ** 20))
    await Promise.all(Array.from({ length: 20 }, (_, n) => store.write(put(`k${n}`, value))))
    expect(store.stats()).toMatchObject({ writes: 20, commits: 3 })
    expect((await store.list({ collection: 'c', prefix: '', after: '', limit: 9 })).more).toBe(true)
  })

  it('that wait when the store is closed are written', async () => {
    const store = open()
    const writes = Array.from({ length: 10 }, (_, n) => store.write(put(`k${n}`)))
    await store.close()
    expect((await Promise.all(writes)).map(({ kind }) => kind)).toEqual(Array(10).fill('created'))
    await expect(store.get(id('k0'))).rejects.toThrow(unavailable('closed'))
    await expect(store.write(put('a'))).rejects.toThrow(unavailable('closed'))
    expect(await open().get(id('k9'))).toMatchObject({ value: '1' })
  })
})

describe('versions', () => {
  it('do not come back where an older file takes the place, or the clock is set back', async () => {
    let now = 1_000_000
    const store = open(() => now)
    await store.write(put('a'))
    await store.close()
    sql((db) => db.exec(`VACUUM INTO '${file}.old'`))
    const later = open(() => now)
    const outcome = await later.write(put('a', '2'))
    await later.close()
    rmSync(file)
    renameSync(`${file}.old`, file)
    now += 1
    const restored = open(() => now)
    const [first, second] = [
      await restored.write(put('a', '3')),
      ((now -= 500_000), await restored.write(put('a', '4'))),
    ]
    const versions = [outcome, first, second].map((one) => ('version' in one ? one.version : 0))
    expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b))
  })
})

describe('idempotency keys', () => {
  it('are kept for a day, and go a few at a time with later writes', async () => {
    let now = 1_000_000
    const store = open(() => now)
    const keyed = (key: string) => put('a', '1', { idempotency: { key, request: 'r' } })
    await Promise.all(Array.from({ length: 100 }, (_, n) => store.write(keyed(`${n}`))))
    now += idempotencyKeptMs
    const kept = () => Number(sql((db) => db.prepare('SELECT count(*) AS rows FROM idempotency').get())?.rows)
    expect(await store.write(keyed('0'))).toMatchObject({ repeated: true })
    await store.write(put('b'))
    expect(kept()).toBe(100)
    now += 1
    await store.write(put('b'))
    expect(kept()).toBeLessThan(100)
    expect(kept()).toBeGreaterThan(50)
    for (let n = 0; n < 10; n += 1) await store.write(put('b'))
    expect(kept()).toBe(0)
    expect(await store.write(keyed('0'))).toMatchObject({ repeated: false })
  })
})

describe('an older data schema', () => {
  const old = () =>
    sql((db) => {
      db.exec('PRAGMA journal_mode = WAL')
      db.exec('CREATE TABLE health_check (id INTEGER PRIMARY KEY CHECK (id = 1), at INTEGER NOT NULL) STRICT')
      db.exec('INSERT INTO health_check VALUES (1, 5)')
      db.exec('PRAGMA user_version = 1')
    })

  it('is migrated at the first use, with what is in it', async () => {
    old()
    expect(await open().get(id('a'))).toBeUndefined()
    expect(changes).toEqual([{ from: 1, to: 2, steps: ['records, their last version, and idempotency keys'] }])
    expect(sql((db) => db.prepare('SELECT at FROM health_check').get())).toEqual({ at: 5 })
    expect(sql((db) => db.prepare('PRAGMA user_version').get())).toEqual({ user_version: dataSchema.writes })
  })

  it('is migrated once where its first release was killed between the table and its number', async () => {
    old()
    sql((db) => db.exec('PRAGMA user_version = 0'))
    expect(await open().write(put('a'))).toMatchObject({ kind: 'created' })
  })

  describe('is migrated by hand', () => {
    const migrate = (dryRun: boolean) =>
      migrateStore({ config: parseServerConfig('', 'config.yaml'), dataDir: folder, root: '/' }, { dryRun })

    it('and a dry run says the same, and changes nothing', async () => {
      old()
      const what = 'records, their last version, and idempotency keys'
      const before = readdirSync(folder)
      expect(await migrate(true)).toEqual([`${file}: would be migrated from data schema 1 to 2`, `  would add ${what}`])
      expect(await migrate(true)).toEqual([`${file}: would be migrated from data schema 1 to 2`, `  would add ${what}`])
      expect(readdirSync(folder)).toEqual(before)
      expect(await migrate(false)).toEqual([`${file}: migrated from data schema 1 to 2`, `  added ${what}`])
      for (const dryRun of [true, false]) {
        expect(await migrate(dryRun)).toEqual([`${file}: has data schema 2, nothing to migrate`])
      }
    })

    it('also while a store has the file open', async () => {
      const store = open()
      await store.write(put('a'))
      expect(await migrate(true)).toEqual([`${file}: has data schema 2, nothing to migrate`])
      expect(await migrate(false)).toEqual([`${file}: has data schema 2, nothing to migrate`])
      expect(await store.write(put('b'))).toMatchObject({ kind: 'created' })
    })

    it('but not made where none is', async () => {
      expect(await migrate(false)).toEqual([`${file}: not there; the first start makes it`])
      expect(existsSync(file)).toBe(false)
    })

    it('and refused for a newer one, and for what is no database', async () => {
      sql((db) => db.exec('PRAGMA user_version = 7'))
      const newer = 'the database has data schema 7, and this release knows only up to 2'
      for (const dryRun of [true, false]) {
        await expect(migrate(dryRun)).rejects.toThrow(`cannot migrate ${file}: ${newer}`)
      }
      writeFileSync(file, 'not a database, and long enough to be looked at '.repeat(20))
      for (const dryRun of [true, false]) await expect(migrate(dryRun)).rejects.toThrow('is not a database')
    })
  })
})
