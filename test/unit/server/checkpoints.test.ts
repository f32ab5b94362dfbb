import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { takeInChild } from '../../../src/server/checkpoints/child.ts'
import { checkpointName, hashPath, listCheckpoints, removeLeftovers } from '../../../src/server/checkpoints/files.ts'
import { takenAt, type TakenCheckpoint } from '../../../src/model/checkpoint.ts'
import { restore, unfinishedRestore } from '../../../src/server/checkpoints/restore.ts'
import { scheduleCheckpoints } from '../../../src/server/checkpoints/schedule.ts'
import { openSource } from '../../../src/server/checkpoints/source.ts'
import { takeCheckpoint } from '../../../src/server/checkpoints/take.ts'
import { holdData } from '../../../src/server/control/hold.ts'
import { tryProcessLock } from '../../../src/system/process-lock.ts'
import { eventually } from '../../support/server-process.ts'

let dataDir: string
let folder: string
let database: string
let open: DatabaseSync | undefined

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'netops-checkpoints-'))
  folder = join(dataDir, 'checkpoints')
  database = join(dataDir, 'state.db')
})
afterEach(async () => {
  if (open?.isOpen === true) open.close()
  open = undefined
  await rm(dataDir, { recursive: true })
})

/** A database as the service keeps it, with these values in it, and open. */
function makeDatabase(...values: readonly string[]): DatabaseSync {
  open = new DatabaseSync(database)
  open.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (v TEXT NOT NULL) STRICT; PRAGMA user_version = 1')
  for (const value of values) open.prepare('INSERT INTO t VALUES (?)').run(value)
  return open
}
const valuesIn = (file: string): readonly unknown[] => {
  const db = new DatabaseSync(file, { readOnly: true })
  try {
    return db
      .prepare('SELECT v FROM t ORDER BY rowid')
      .all()
      .map(({ v }) => v)
  } finally {
    db.close()
  }
}
const take = (keep = 24) => takeCheckpoint({ database, folder, keep })
const restoreIt = async (which: string, more: { readonly dryRun?: boolean; readonly to?: number } = {}) => {
  const source = await openSource(which, folder)
  try {
    const schemas = { from: 1, to: more.to ?? 1 }
    return await restore({ source, dataDir, database: 'state.db', schemas, dryRun: more.dryRun ?? false })
  } finally {
    await source.handle.close()
  }
}

describe('a checkpoint', () => {
  it('holds what was committed, with its hash beside it as sha256sum reads it', async () => {
    const db = makeDatabase('a', 'b')
    db.exec('BEGIN')
    db.exec("INSERT INTO t VALUES ('not committed')")
    const taken = await take()
    db.exec('COMMIT')
    expect(valuesIn(taken.path)).toEqual(['a', 'b'])
    const bytes = await readFile(taken.path)
    expect(taken).toMatchObject({ bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') })
    const name = checkpointName(taken.takenMs)
    expect(await readFile(hashPath(taken.path), 'utf8')).toBe(`${taken.sha256}  ${name}\n`)
    expect((await readdir(folder)).sort()).toEqual([name, `${name}.sha256`])
    expect((await stat(taken.path)).mode & 0o777).toBe(0o640)
    expect((await stat(folder)).mode & 0o777).toBe(0o750)
  })

  it('keeps the newest, whatever the clock says, and removes what is older with its hash', async () => {
    makeDatabase('a')
    const future = join(folder, checkpointName(Date.now() + 86_400_000))
    await mkdir(folder)
    await writeFile(future, 'from before the clock was set back')
    const first = await take(2)
    const second = await take(2)
    expect((await listCheckpoints(folder)).map(({ path }) => path)).toEqual([second.path, first.path])
    const third = await take(1)
    expect((await readdir(folder)).sort()).toEqual([
      checkpointName(third.takenMs),
      `${checkpointName(third.takenMs)}.sha256`,
    ])
  })

  it('is not taken of a damaged database, and then the ones that are there stay, and nothing half done', async () => {
    const db = makeDatabase(...Array.from({ length: 2000 }, (_, n) => `value ${n}`))
    const good = await take(1)
    db.close()
    const bytes = await readFile(database)
    bytes.fill(0xff, 8192, 24_576)
    await writeFile(database, bytes)
    await expect(take(1)).rejects.toMatchObject({ name: 'NetopsError' })
    expect((await readdir(folder)).length).toBe(2)
    expect((await listCheckpoints(folder)).map(({ path }) => path)).toEqual([good.path])
  })

  it('is not taken where there is no database, which is not made then', async () => {
    await expect(take()).rejects.toMatchObject({ code: 'failed' })
    expect(await readdir(dataDir)).toEqual(['checkpoints'])
  })

  it('is not taken by two at once', async () => {
    makeDatabase('a')
    await mkdir(folder)
    const lock = await tryProcessLock(join(folder, '.lock'))
    await expect(take()).rejects.toMatchObject({ code: 'locked' })
    await lock?.release()
    await take()
  })

  it('removes what a killed one left, and no whole one', async () => {
    makeDatabase('a')
    const taken = await take()
    const names = (await readdir(folder)).sort()
    const orphan = `${checkpointName(1)}.sha256`
    for (const name of ['.taking-1.db', '.taking-1.db-journal', orphan]) await writeFile(join(folder, name), 'x')
    expect((await removeLeftovers(folder)).toSorted()).toEqual(['.taking-1.db', '.taking-1.db-journal', orphan])
    expect((await readdir(folder)).sort()).toEqual(names)
    expect(taken.path).toContain(names[0])
  })

  it('is named by its time', () => {
    const at = Date.UTC(2026, 0, 2, 3, 4, 5, 678)
    expect(checkpointName(at)).toBe('checkpoint-20260102T030405678Z.db')
    expect(takenAt(checkpointName(at))).toBe(at)
    for (const name of [
      'checkpoint-20261302T030405678Z.db',
      'checkpoint-1.db',
      '.taking-1.db',
      `${checkpointName(at)}x`,
    ])
      expect(takenAt(name)).toBeUndefined()
  })
})

describe('the process of a checkpoint', () => {
  it('that took too long is what is told, also where there is no folder to clear', async () => {
    const order = { database: join(folder, 'state.db'), folder: join(folder, 'never-made'), keep: 1 }
    await expect(takeInChild(order, { timeoutMs: 1, signal: new AbortController().signal })).rejects.toMatchObject({
      code: 'failed',
      message: 'the checkpoint was given up after 1 ms',
    })
  })
})

describe('a restore', () => {
  it('puts a checkpoint in the place of the state, and keeps what was there', async () => {
    makeDatabase('old').close()
    await take()
    makeDatabaseAgain('newer')
    const done = await restoreIt('latest')
    expect(valuesIn(database)).toEqual(['old'])
    expect(valuesIn(done.kept ?? '')).toEqual(['old', 'newer'])
    expect((await readdir(dataDir)).filter((name) => /wal|shm|restor|verif|lock/.test(name))).toEqual([])
  })

  /** Adds a value, and leaves it in the log only: as a service that was killed. */
  function makeDatabaseAgain(value: string): void {
    const db = new DatabaseSync(database)
    db.prepare('INSERT INTO t VALUES (?)').run(value)
    db.close()
  }

  it('changes nothing where the service works with the data, or anybody has the database open', async () => {
    makeDatabase('a')
    await take()
    open?.exec("INSERT INTO t VALUES ('b')")
    await expect(restoreIt('latest')).rejects.toMatchObject({ code: 'locked' })
    expect(valuesIn(database)).toEqual(['a', 'b'])
    open?.close()
    const hold = await holdData(dataDir)
    await expect(restoreIt('latest')).rejects.toMatchObject({ code: 'locked' })
    await hold.release()
    await restoreIt('latest')
    expect(valuesIn(database)).toEqual(['a'])
  })

  it('takes nothing that is not what its hash says, not whole, of another data schema, or without a hash', async () => {
    makeDatabase(...Array.from({ length: 2000 }, (_, n) => `value ${n}`)).close()
    const { path } = await take()
    const before = await readFile(database)
    const good = await readFile(path)
    const rehash = async (bytes: Buffer) => {
      await writeFile(path, bytes)
      await writeFile(hashPath(path), `${createHash('sha256').update(bytes).digest('hex')}  x\n`)
    }
    await truncate(path, good.length - 1)
    await expect(restoreIt(path)).rejects.toMatchObject({
      code: 'damaged',
      message: expect.stringContaining('hash') as string,
    })
    await rehash(Buffer.concat([good.subarray(0, 8192), Buffer.alloc(8192, 0xff), good.subarray(16_384)]))
    await expect(restoreIt(path)).rejects.toMatchObject({ code: 'damaged' })
    await rehash(Buffer.from('no database at all, but long enough to be looked at'))
    await expect(restoreIt(path)).rejects.toMatchObject({ code: 'damaged' })
    const newer = Buffer.from(good)
    newer.writeUInt32BE(9, 60) // sqlite.org/fileformat2.html: the user version
    await rehash(newer)
    await expect(restoreIt(path)).rejects.toMatchObject({ code: 'refused' })
    await writeFile(path, good)
    await rm(hashPath(path))
    await expect(restoreIt(path)).rejects.toMatchObject({ code: 'refused' })
    await expect(restoreIt(join(dataDir, 'nothing'))).rejects.toMatchObject({ code: 'failed' })
    expect(await readFile(database)).toEqual(before)
    expect((await readdir(dataDir)).filter((name) => !name.startsWith('state.db'))).toEqual(['checkpoints'])
  })

  it('only looks in a dry run', async () => {
    makeDatabase('a')
    await take()
    open?.exec("INSERT INTO t VALUES ('b')")
    expect(await restoreIt('latest', { dryRun: true })).toMatchObject({ schema: 1, kept: undefined })
    expect(valuesIn(database)).toEqual(['a', 'b'])
    expect((await readdir(dataDir)).filter((name) => !name.startsWith('state.db'))).toEqual(['checkpoints'])
  })

  it('replaces what SQLite cannot read any more, and lets no log of it come upon the new state', async () => {
    makeDatabase('a').close()
    await take()
    const log = Buffer.from('the log of the damaged one')
    await writeFile(database, 'this is no database; '.repeat(1000))
    await writeFile(`${database}-wal`, log)
    const { kept } = await restoreIt('latest')
    expect(valuesIn(database)).toEqual(['a'])
    expect(await readFile(`${kept}-wal`)).toEqual(log)
    expect((await readFile(kept ?? '', 'utf8')).startsWith('this is no database')).toBe(true)
    expect(unfinishedRestore(dataDir)).toBeUndefined()
  })

  it('takes back what was begun in the old state, and lets no journal of it come upon the new one', async () => {
    makeDatabase(...Array.from({ length: 500 }, (_, n) => `value ${n}`))
    open?.exec('PRAGMA journal_mode = DELETE; PRAGMA cache_size = 1; PRAGMA synchronous = FULL')
    await take()
    open?.exec('BEGIN; UPDATE t SET v = v || v || v')
    const [half, journal] = [await readFile(database), await readFile(`${database}-journal`)]
    open?.exec('ROLLBACK')
    open?.close()
    await writeFile(database, half)
    await writeFile(`${database}-journal`, journal)
    const { kept } = await restoreIt('latest')
    expect(valuesIn(database)).toHaveLength(500)
    expect(valuesIn(kept ?? '')).toEqual(valuesIn(database))
    expect((await readdir(dataDir)).filter((name) => name.includes('journal'))).toEqual([])
  })

  it('goes on after it was cut off, and until then says that nothing may be served', async () => {
    makeDatabase('a').close()
    await take()
    await writeFile(join(dataDir, 'restore-unfinished.json'), '{}')
    await writeFile(join(dataDir, '.restoring-1.db'), 'half')
    expect(unfinishedRestore(dataDir)).toBe(join(dataDir, 'restore-unfinished.json'))
    await rm(database)
    await restoreIt('latest')
    expect(valuesIn(database)).toEqual(['a'])
    expect(unfinishedRestore(dataDir)).toBeUndefined()
    expect((await readdir(dataDir)).filter((name) => /restor|^state\.db-/.test(name))).toEqual([])
  })
})

describe('when checkpoints are taken', () => {
  const taken = (takenMs: number): TakenCheckpoint => ({ path: 'p', bytes: 1, sha256: 'x', takenMs, ms: 2000 })
  const begin = (intervalMs: number, takeOne: () => Promise<TakenCheckpoint>) =>
    scheduleCheckpoints({
      ...{ database, folder, intervalMs: () => intervalMs, take: takeOne },
      ...{ onTaken: () => undefined, onFailure: () => undefined, mayTake: () => true, lookMs: 10 },
    })

  it('goes by the newest one that is there, also after a restart, and by the clock set back', async () => {
    await mkdir(folder)
    const cases: readonly (readonly [number, boolean])[] = [
      [Date.now() - 7_200_000, true],
      [Date.now() - 600_000, false],
      [Date.now() + 7_200_000, true],
    ]
    for (const [at, due] of cases) {
      await writeFile(join(folder, checkpointName(at)), 'x')
      let count = 0
      const schedule = await begin(3_600_000, () => Promise.resolve(taken((count += 1))))
      expect(schedule.figures()?.last?.lastSuccessMs).toBe(at)
      if (due) await eventually(() => expect(count).toBe(1))
      else expect(await new Promise((resolve) => setTimeout(() => resolve(count), 100))).toBe(0)
      schedule.close()
      await rm(join(folder, checkpointName(at)))
    }
  })

  it('gives all who ask while one is being taken the next one', async () => {
    const waiting: PromiseWithResolvers<TakenCheckpoint>[] = []
    const schedule = await begin(3_600_000, () => {
      const one = Promise.withResolvers<TakenCheckpoint>()
      waiting.push(one)
      return one.promise
    })
    const first = schedule.takeNow()
    const [second, third] = [schedule.takeNow(), schedule.takeNow()]
    expect(waiting.length).toBe(1)
    waiting[0]?.reject(new Error('no room'))
    await expect(first).rejects.toThrow('no room')
    await eventually(() => expect(waiting.length).toBe(2))
    waiting[1]?.resolve(taken(5))
    expect(await second).toEqual(await third)
    expect(schedule.figures()).toEqual({ last: { lastSuccessMs: 5, seconds: 2, bytes: 1 }, failures: 1 })
    schedule.close()
  })
})
