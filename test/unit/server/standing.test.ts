import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { roleChanger } from '../../../src/server/operate/change-role.ts'
import { watchMaintenance, type FlagWatch } from '../../../src/server/standing/maintenance.ts'
import { refusalByRole, refusalInMaintenance } from '../../../src/server/standing/refusals.ts'
import { readRole, writeRole } from '../../../src/server/standing/role.ts'
import { keepStanding, standingIn } from '../../../src/server/standing/standing.ts'
import { writesByRole } from '../../../src/server/standing/writes.ts'
import { StoreUnavailable, type Write, type WriteOutcome } from '../../../src/server/store/port.ts'
import { createSharedMemory, openShared, type SharedMemory } from '../../../src/server/threads/shared.ts'
import { memoryStore } from '../../support/memory-store.ts'
import { eventually } from '../../support/server-process.ts'

let folder: string
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'netops-standing-'))))
afterEach(() => rm(folder, { recursive: true }))

const sourceFile = (path: string): string => join(import.meta.dirname, '../../../src/server', path)
const standingOf = (memory: SharedMemory) => standingIn(openShared(memory), memory.primary)

describe('the standing that threads share', () => {
  it('is primary and not in maintenance until somebody says otherwise', () => {
    const standing = standingOf(createSharedMemory(1))
    expect(standing.maintenance()).toBe(false)
    expect(standing.role()).toEqual({ kind: 'primary' })
  })

  it('says to every reader what was set last', () => {
    const memory = createSharedMemory(2)
    const keeper = keepStanding(openShared(memory), memory.primary)
    const standing = standingOf(memory)
    keeper.setMaintenance(true)
    keeper.setRole({ kind: 'standby', primary: 'https://db1.example.com:8443' })
    expect(standing.maintenance()).toBe(true)
    expect(standing.role()).toEqual({ kind: 'standby', primary: 'https://db1.example.com:8443' })
    keeper.setRole({ kind: 'standby', primary: undefined })
    expect(standing.role()).toEqual({ kind: 'standby', primary: undefined })
    keeper.setRole({ kind: 'primary' })
    expect(standing.role()).toEqual({ kind: 'primary' })
  })

  it('never shows half of one role and half of another while a thread writes', async () => {
    const memory = createSharedMemory(1)
    const writer = new Worker(
      `const { parentPort, workerData } = require('node:worker_threads')
       const { memory, modules } = workerData
       Promise.all(modules.map((module) => import(module))).then(([{ keepStanding }, { openShared }]) => {
         const keeper = keepStanding(openShared(memory), memory.primary)
         parentPort.postMessage('begun')
         for (let n = 0; n < 200_000; n += 1)
           keeper.setRole({ kind: 'standby', primary: 'http://' + 'ab'[n % 2].repeat(1 + (n % 2) * 500) })
         parentPort.postMessage('ended')
       })`,
      {
        eval: true,
        execArgv: ['--experimental-strip-types', '--no-warnings'],
        workerData: { memory, modules: ['standing/standing.ts', 'threads/shared.ts'].map(sourceFile) },
      },
    )
    let ended = false
    const begun = new Promise<void>((resolve, reject) => {
      writer.on('message', (said) => (said === 'begun' ? resolve() : (ended = true)))
      writer.on('error', reject)
    })
    await begun
    const standing = standingOf(memory)
    const seen = new Set<string>()
    const isOver = () => ended
    for (let looks = 0; !isOver() || looks < 100; looks += 1) {
      const role = standing.role()
      if (role.kind === 'standby') seen.add(role.primary ?? '')
      if (looks % 1000 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    await writer.terminate()
    expect([...seen].filter((text) => text !== 'http://a' && text !== `http://${'b'.repeat(501)}`)).toEqual([])
    expect(seen.size).toBeGreaterThan(0)
  })
})

describe('what is not begun', () => {
  const standing = (maintenance: boolean, role: ReturnType<ReturnType<typeof standingIn>['role']>) => ({
    maintenance: () => maintenance,
    role: () => role,
  })

  it('is everything in maintenance, with the time to ask again and the end of the connection', () => {
    expect(refusalInMaintenance(standing(false, { kind: 'primary' }))).toBeUndefined()
    expect(refusalInMaintenance(standing(true, { kind: 'primary' }))).toEqual({
      detail: 'the service is in maintenance: try again later',
      headers: { 'retry-after': '30', connection: 'close' },
      members: { reason: 'maintenance' },
    })
  })

  it('is a write on a standby, which names the primary; reads go on', () => {
    const standby = standing(false, { kind: 'standby', primary: 'https://db1' })
    for (const method of ['GET', 'HEAD', 'OPTIONS']) expect(refusalByRole(standby, { method })).toBeUndefined()
    for (const method of ['PUT', 'DELETE', 'POST', 'PATCH']) {
      expect(refusalByRole(standby, { method })).toEqual({
        detail: 'this is a standby, which takes no writes: send them to the primary, https://db1',
        headers: { 'retry-after': '5' },
        members: { reason: 'standby', primary: 'https://db1' },
      })
      expect(refusalByRole(standing(false, { kind: 'primary' }), { method })).toBeUndefined()
    }
    expect(refusalByRole(standing(false, { kind: 'standby', primary: undefined }), { method: 'PUT' })?.members).toEqual(
      { reason: 'standby' },
    )
  })
})

describe('the role on disk', () => {
  const at = () => join(folder, 'role.json')

  it('is primary without a file, and what was written after that', async () => {
    expect(await readRole(at())).toEqual({ role: { kind: 'primary' }, problem: undefined })
    const roles = [
      { kind: 'standby', primary: 'https://db1.example.com:8443/' },
      { kind: 'standby', primary: undefined },
      { kind: 'primary' },
    ] as const
    for (const role of roles) {
      await writeRole(at(), role)
      expect(await readRole(at())).toEqual({ role, problem: undefined })
    }
  })

  const damaged: readonly (readonly [string, string])[] = [
    ['an empty file', ''],
    ['half a file', '{"schema":1,"role":"sta'],
    ['another schema', '{"schema":2,"role":"primary"}'],
    ['another role', '{"schema":1,"role":"witness"}'],
    ['an address with a password', '{"schema":1,"role":"standby","primary":"https://a:b@db1"}'],
    ['an address with a line end', '{"schema":1,"role":"standby","primary":"https://db1\\r\\nx: y"}'],
    ['an address of another kind', '{"schema":1,"role":"standby","primary":"ftp://db1"}'],
    ['a primary that names a primary', '{"schema":1,"role":"primary","primary":"https://db1"}'],
    ['ten thousand spaces', ' '.repeat(10_000)],
  ]
  it.each(damaged)('is a standby without a name for %s', async (_what, text) => {
    await writeFile(at(), text)
    const { role, problem } = await readRole(at())
    expect(role).toEqual({ kind: 'standby', primary: undefined })
    expect(problem).toBe('it holds no role that this release knows')
  })

  it('is a standby without a name for a folder or a link in its place', async () => {
    await mkdir(at())
    expect((await readRole(at())).role.kind).toBe('standby')
    await rm(at(), { recursive: true })
    await writeFile(join(folder, 'other'), '{"schema":1,"role":"primary"}')
    await symlink('other', at())
    expect((await readRole(at())).role.kind).toBe('standby')
  })
})

describe('the maintenance flag', () => {
  let watch: FlagWatch | undefined
  let states: boolean[]
  let problems: string[]
  const flag = () => join(folder, 'run/maintenance')
  const begin = async (pollMs = 20) => {
    states = []
    problems = []
    watch = await watchMaintenance({
      path: flag(),
      pollMs,
      onChange: (on) => states.push(on),
      onProblem: (problem) => problems.push(problem),
    })
  }
  afterEach(() => watch?.close())

  it('is off without a file or a folder, and follows both when they come and go', async () => {
    await begin()
    expect(states).toEqual([false])
    await mkdir(join(folder, 'run'))
    await writeFile(flag(), 'true\n')
    await eventually(() => expect(states).toEqual([false, true]))
    await writeFile(flag(), 'false\n')
    await eventually(() => expect(states).toEqual([false, true, false]))
    await writeFile(flag(), 'true')
    await eventually(() => expect(states.at(-1)).toBe(true))
    await rm(join(folder, 'run'), { recursive: true })
    await eventually(() => expect(states.at(-1)).toBe(false))
    await mkdir(join(folder, 'run'))
    await writeFile(flag(), 'true')
    await eventually(() => expect(states.at(-1)).toBe(true))
    expect(problems).toEqual([])
  })

  it('is on from the first reading where it says so', async () => {
    await mkdir(join(folder, 'run'))
    await writeFile(flag(), 'true\n')
    await begin()
    expect(states).toEqual([true])
  })

  it('is followed by notifications alone', async () => {
    await mkdir(join(folder, 'run'))
    await begin(3_600_000)
    await writeFile(join(folder, 'new'), 'true\n')
    await rename(join(folder, 'new'), flag())
    await eventually(() => expect(states).toEqual([false, true]))
    await writeFile(flag(), 'false\n')
    await eventually(() => expect(states).toEqual([false, true, false]))
  })

  it('stays as it was where it says something else or cannot be read, and tells each such thing once', async () => {
    await mkdir(join(folder, 'run'))
    await writeFile(flag(), 'true\n')
    await begin()
    await writeFile(flag(), 'maybe\n')
    await eventually(() => expect(problems).toEqual(['it says neither true nor false']))
    await writeFile(flag(), 'true'.repeat(1000))
    await rm(flag())
    await eventually(() => expect(states).toEqual([true, false]))
    await writeFile(join(folder, 'elsewhere'), 'true')
    await symlink(join(folder, 'elsewhere'), flag())
    await eventually(() => expect(problems.at(-1)).toBe('it is a link, which is not followed'))
    expect(states).toEqual([true, false])
    await rm(flag())
    await mkdir(flag())
    await eventually(() => expect(problems.at(-1)).toBe('it is no file'))
    await rm(flag(), { recursive: true })
    await writeFile(flag(), '')
    await eventually(() => expect(problems.at(-1)).toBe('it is empty'))
    expect(states).toEqual([true, false])
  })
})

describe('a change of the role', () => {
  const parts = () => {
    const memory = createSharedMemory(1)
    const shared = openShared(memory)
    const standing = keepStanding(shared, memory.primary)
    const path = join(folder, 'role.json')
    return { shared, standing, path, change: roleChanger({ path, standing, shared, log: { info: () => undefined } }) }
  }
  const write: Write = { collection: 'things', key: 'one', value: '1', condition: { kind: 'always' } }

  it('is one after the other: what is in effect is what is on the disk', async () => {
    const { standing, path, change } = parts()
    for (let round = 0; round < 30; round += 1) {
      const wanted = Array.from({ length: 6 }, (_, n) => ((round + n) % 2 === 0 ? 'primary' : 'standby'))
      await Promise.all(wanted.map((kind) => change(kind === 'primary' ? { kind } : { kind, primary: undefined })))
      expect(standing.role()).toEqual((await readRole(path)).role)
      expect(standing.role().kind).toBe(wanted.at(-1))
    }
  })

  it('to standby is over when the database has ended what it was at, and refuses what comes then', async () => {
    const { shared, standing, change } = parts()
    const database = Promise.withResolvers<WriteOutcome>()
    const store = writesByRole({ ...memoryStore(), write: () => database.promise }, { standing, shared })
    const begun = store.write(write)
    let changed = false
    const change1 = change({ kind: 'standby', primary: undefined }).then(() => (changed = true))
    await eventually(() => expect(standing.role().kind).toBe('standby'))
    await expect(store.write(write)).rejects.toThrow('this is a standby')
    await eventually(async () => expect((await readRole(join(folder, 'role.json'))).role.kind).toBe('standby'))
    expect(changed).toBe(false)
    database.resolve({ kind: 'created', version: 1, repeated: false })
    expect(await begun).toMatchObject({ kind: 'created' })
    await change1
    expect(shared.writes()).toBe(0)
  })

  it('is not held up by writes that failed', async () => {
    const { shared, standing, change } = parts()
    const away = new StoreUnavailable('away')
    const store = writesByRole({ ...memoryStore(), write: () => Promise.reject(away) }, { standing, shared })
    await expect(store.write(write)).rejects.toBe(away)
    await change({ kind: 'standby', primary: undefined })
    expect(standing.role().kind).toBe('standby')
  })
})
