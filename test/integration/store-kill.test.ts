// The SQLite store in processes that are killed, and in several that begin at once.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { dataSchema } from '../../src/model/data-schema.ts'
import { createSqliteStore } from '../../src/server/store/sqlite/store.ts'
import { valueAfter, writers } from '../support/store-program.ts'

const program = join(import.meta.dirname, '../support/store-program.ts')
const kills = process.env.NETOPS_ENDURANCE === '1' ? 50 : 5

let folder = ''
let file = ''
const children = new Set<ChildProcess>()
beforeEach(async () => {
  // On a disk: in memory nothing would ever wait.
  folder = await mkdtemp(join(tmpdir(), 'netops-store-'))
  file = join(folder, 'state.db')
})
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL')
  children.clear()
  await rm(folder, { recursive: true })
})

function run(...args: readonly string[]) {
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  children.add(child)
  let [out, err] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()))
  const ended = once(child, 'close')
  return { child, out: () => out, err: () => err, ended }
}

it(`loses nothing that was acknowledged when it is killed under load, ${kills} times`, async () => {
  // The last write of each writer that was acknowledged.
  const last = Array<number>(writers).fill(0)
  for (let kill = 1; kill <= kills; kill += 1) {
    const { child, out, err, ended } = run(file, 'write', ...last.map(String))
    // Some come to be killed while the log is written into the file, which happens every 4 MB.
    const enough = 2000 * (1 + (kill % 5))
    await new Promise<void>((resolve, reject) => {
      child.stdout.on('data', () => {
        if (out().length > enough) resolve()
      })
      child.once('close', () => reject(new Error(`it ended by itself: ${err()}`)))
    })
    child.kill('SIGKILL')
    await ended
    // What stands in the pipe was acknowledged too; the last line may be torn.
    for (const line of out().split('\n').slice(0, -1)) {
      const [writer = -1, n = -1] = line.split(' ').map(Number)
      last[writer] = n
    }
    const store = createSqliteStore({ file })
    for (const [writer, n] of last.entries()) {
      const found = (await store.get({ collection: 'c', key: `${writer}` }))?.value
      // The one that was under way when the kill came may be there or not.
      const allowed = [valueAfter(n), valueAfter(n + 1)]
      if (!allowed.includes(found))
        expect.fail(`kill ${kill}, writer ${writer} after ${n}: ${String(found).slice(-20)}`)
      last[writer] = found === allowed[0] ? n : n + 1
    }
    await store.close()
    const db = new DatabaseSync(file)
    expect(db.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' })
    db.close()
  }
  expect(Math.min(...last)).toBeGreaterThan(0)
})

it('is made by one of several processes that begin at once, and used by all', async () => {
  const processes = Array.from({ length: 4 }, () => run(file, 'verify'))
  for (const { child, err, ended } of processes) {
    await ended
    expect({ code: child.exitCode, err: err() }).toEqual({ code: 0, err: '' })
  }
})

it('is migrated once by several processes at once', async () => {
  const db = new DatabaseSync(file)
  db.exec('CREATE TABLE health_check (id INTEGER PRIMARY KEY CHECK (id = 1), at INTEGER NOT NULL) STRICT')
  db.exec('PRAGMA user_version = 1')
  db.close()
  const processes = Array.from({ length: 4 }, () => run(file, 'migrate'))
  await Promise.all(processes.map(({ ended }) => ended))
  expect(processes.map(({ err }) => err())).toEqual(['', '', '', ''])
  const changes = processes.map(({ out }) => JSON.parse(out()) as { from: number; steps: readonly string[] })
  expect(changes.map(({ from }) => from).sort()).toEqual([1, 2, 2, 2])
  expect(changes.filter(({ steps }) => steps.length > 0)).toHaveLength(1)
  const after = new DatabaseSync(file)
  expect(after.prepare('PRAGMA user_version').get()).toEqual({ user_version: dataSchema.writes })
  after.close()
})
