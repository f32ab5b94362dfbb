// What a restore does to files, without a service: whatever happened to them, they are as the archive holds them, and by the way
// back exactly what they were.
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeArchive } from '../../src/archive/make.ts'
import { ThreadPool } from '../../src/archive/threads/pool.ts'
import { lookAtRestore } from '../../src/backups/restore-look.ts'
import { stageRestore } from '../../src/backups/restore-stage.ts'
import { clearUp, putBack, swapIn } from '../../src/backups/restore-swap.ts'
import { restoreTask, type RestoreTask } from '../../src/backups/restore-task.ts'
import { NetopsError } from '../../src/model/errors.ts'
import { execText } from '../../src/system/exec.ts'
import { manifestHash, readManifest } from '../../src/archive/manifest.ts'
import { handmade, type Handmade } from '../support/handmade-archive.ts'
import { quickFolder } from '../support/scratch.ts'
import { change, changes, hasAttributes, portrait, type Change } from '../support/trees.ts'

const endurance = process.env.NETOPS_ENDURANCE === '1'
const roots = ['etc/network_system', 'var/lib/network_system']
const signal = new AbortController().signal
const pool = new ThreadPool(1)
let base: string
let archives: string
afterAll(() => pool.end())
beforeEach(async () => {
  base = await quickFolder('restore')
  archives = join(base, 'archives')
  for (const root of roots) mkdirSync(join(base, root), { recursive: true })
})
afterEach(() => rm(base, { recursive: true, force: true }))

const archive = async (name: string): Promise<void> => {
  await makeArchive({ place: { folder: archives, name }, base, roots, compression: 'gzip' }, { pool })
}

let runs = 0
async function taskFor(name: string, only: readonly string[] = []): Promise<RestoreTask> {
  const { archive: found, tops, places, leave } = await lookAtRestore({ base, folder: archives, name, only })
  runs += 1
  return restoreTask.parse({ run: `run-${runs}`, base, archive: found, tops, places, leave, database: null })
}

async function stageAndSwap(task: RestoreTask): Promise<void> {
  await stageRestore(task, { signal, database: 'state.db', pool })
  await swap(task)
}

async function swap(task: RestoreTask, onMoved?: (name: string) => void): Promise<void> {
  const place = { folder: task.archive.folder, name: task.archive.name }
  await swapIn(task, { place, manifest: await readManifest(place) }, { database: 'state.db', onMoved })
}

const below = (): readonly ReadonlyMap<string, unknown>[] => roots.map((root) => portrait(join(base, root), true))
/** What a restore has of its own, wherever it may be. */
const litter = (): readonly string[] =>
  readdirSync(base, { recursive: true, encoding: 'latin1' }).filter((name) => /netops-restore|restore-swap/.test(name))

/** What no archive holds stays, and so do folders that hold it. */
const isFifoFolder = (root: string, name: string): boolean =>
  readdirSync(Buffer.from(`${base}/${root}${name}`, 'latin1'), {
    recursive: true,
    withFileTypes: true,
    encoding: 'buffer',
  }).some((one) => one.isFIFO())

test('whatever happened to the files, they are as the archive holds them; and put back, exactly what they were', async () => {
  const story = fc.record({
    beginning: fc.array(changes, { minLength: 15, maxLength: 50 }),
    since: fc.array(changes, { minLength: 1, maxLength: 12 }),
  })
  await fc.assert(
    fc.asyncProperty(story, async ({ beginning, since }) => {
      for (const root of roots) {
        rmSync(join(base, root), { recursive: true })
        mkdirSync(join(base, root))
      }
      const attributes = hasAttributes(base)
      const apply = (made: Change, at: number): void => change(join(base, roots[at % 2] ?? ''), made, { attributes })
      beginning.forEach(apply)
      rmSync(archives, { recursive: true, force: true })
      await archive('then')
      const then = below()
      since.filter(({ kind }) => kind !== 'fifo').forEach(apply)
      const now = below()
      const task = await taskFor('then')
      try {
        await stageAndSwap(task)
        for (const [at, root] of roots.entries()) {
          const none: ReadonlyMap<string, unknown> = new Map()
          const [found, wanted] = [below()[at] ?? none, then[at] ?? none]
          const more = [...found.keys()].filter((name) => !wanted.has(name))
          expect(more.filter((name) => !isFifoFolder(root, name))).toEqual([])
          expect(new Map([...found].filter(([name]) => !more.includes(name)))).toEqual(wanted)
        }
      } catch (error) {
        // A fifo that is in the way of a file of the archive.
        if (!(error instanceof NetopsError) || error.code !== 'refused') throw error
      }
      await putBack(task)
      expect(below()).toEqual(now)
      await clearUp(task, roots, 'undone')
      expect(litter()).toEqual([])
    }),
    { numRuns: endurance ? 300 : 4, endOnFailure: true },
  )
}, 600_000)

/** Some files below both roots, as they are in the archive `then`, and what happened to them since. */
async function simpleStory(): Promise<void> {
  const at = (name: string): string => join(base, name)
  for (const folder of ['etc/network_system/keys', 'var/lib/network_system/checkpoints']) mkdirSync(at(folder))
  writeFileSync(at('etc/network_system/config.yaml'), 'then')
  writeFileSync(at('etc/network_system/keys/one'), 'then', { mode: 0o600 })
  writeFileSync(at('var/lib/network_system/checkpoints/one'), 'then')
  writeFileSync(at('var/lib/network_system/role.json'), 'then')
  writeFileSync(at('var/lib/network_system/gone'), 'then')
  await archive('then')
  writeFileSync(at('etc/network_system/config.yaml'), 'now')
  rmSync(at('etc/network_system/keys'), { recursive: true })
  writeFileSync(at('var/lib/network_system/checkpoints/two'), 'now')
  writeFileSync(at('var/lib/network_system/role.json'), 'now')
  rmSync(at('var/lib/network_system/gone'))
  writeFileSync(at('var/lib/network_system/new'), 'now')
  // What the service has in its folder, which stays: so nothing above it can be renamed.
  writeFileSync(at('var/lib/network_system/in-use.lock'), 'mine')
}

const contentOf = (name: string): string | undefined =>
  existsSync(join(base, name)) ? readFileSync(join(base, name), 'utf8') : undefined
const restored = {
  'etc/network_system/config.yaml': 'then',
  'etc/network_system/keys/one': 'then',
  'var/lib/network_system/checkpoints/one': 'then',
  'var/lib/network_system/checkpoints/two': undefined,
  'var/lib/network_system/role.json': 'then',
  'var/lib/network_system/gone': 'then',
  'var/lib/network_system/new': undefined,
  'var/lib/network_system/in-use.lock': 'mine',
}
const contents = (): Readonly<Record<string, string | undefined>> =>
  Object.fromEntries(Object.keys(restored).map((name) => [name, contentOf(name)]))

class Died extends Error {}

describe('a restore that is cut off', () => {
  test.each(['forward', 'back'] as const)('after any of its renames, goes on %s', async (direction) => {
    await simpleStory()
    const before = below()
    for (let moves = 1; ; moves += 1) {
      const task = await taskFor('then')
      await stageRestore(task, { signal, database: 'state.db', pool })
      let left = moves
      const die = (): void => {
        left -= 1
        if (left === 0) throw new Died()
      }
      const isCut = await swap(task, die).then(
        () => false,
        (error: unknown) => {
          if (!(error instanceof Died)) throw error
          return true
        },
      )
      if (direction === 'forward') {
        await swap(task)
        expect(contents()).toEqual(restored)
      }
      // Also the way back is cut off and begun again.
      left = Math.ceil(moves / 2)
      await putBack(task, { onMoved: die }).catch((error: unknown) => {
        if (!(error instanceof Died)) throw error
      })
      await putBack(task)
      expect(below()).toEqual(before)
      await clearUp(task, roots, 'undone')
      expect(litter()).toEqual([])
      if (!isCut) break
      expect(moves).toBeLessThan(20)
    }
  })

  test('keeps what it has put aside from being cleared away before it was put back', async () => {
    await simpleStory()
    const task = await taskFor('then')
    await stageAndSwap(task)
    await expect(clearUp(task, roots, 'undone')).rejects.toMatchObject({ code: 'refused' })
    await putBack(task)
    await clearUp(task, roots, 'undone')
    await clearUp(task, roots, 'done')
    expect(litter()).toEqual([])
  })
})

describe('what is mounted cannot be renamed', () => {
  const mounted: string[] = []
  const mount = async (...words: readonly string[]): Promise<void> => {
    await execText(['mount', ...words])
    mounted.push(words.at(-1) ?? '')
  }
  afterEach(async () => {
    for (const at of mounted.splice(0).reverse()) await execText(['umount', at])
  })

  test.each(['root', 'somebody else'] as const)(
    'then its entries are, in a file system that belongs to %s',
    async (owner) => {
      await simpleStory()
      // As when the folder has got a file system of its own since: with what was there copied to it.
      const at = join(base, 'var/lib/network_system')
      const copy = join(base, 'copy')
      await execText(['cp', '-a', at, copy])
      await mount('-t', 'tmpfs', '-o', 'mode=0750', 'netops-test', at)
      await execText(['cp', '-aT', copy, at])
      if (owner === 'somebody else') await execText(['chown', '-R', '1234:1234', at])
      const before = below()
      const task = await taskFor('then')
      expect(task.places).toEqual(['etc', 'var/lib/network_system'])
      await stageAndSwap(task)
      expect(contents()).toEqual(restored)
      await putBack(task)
      await clearUp(task, roots, 'undone')
      // The folder for the restore lay in it.
      const withoutTime = (portraits: ReturnType<typeof below>) =>
        portraits.map((one) => new Map(one).set('', undefined))
      expect(withoutTime(below())).toEqual(withoutTime(before))
      const again = await taskFor('then')
      await stageAndSwap(again)
      await clearUp(again, roots, 'done')
      expect(contents()).toEqual(restored)
      expect(litter()).toEqual([])
    },
  )

  test('also of a folder within, though it is on the same device', async () => {
    await simpleStory()
    const at = join(base, 'var/lib/network_system/checkpoints')
    const source = join(base, 'elsewhere')
    mkdirSync(source)
    writeFileSync(join(source, 'two'), 'now')
    await mount('--bind', source, at)
    const task = await taskFor('then')
    expect(task.places).toEqual(['etc', 'var/lib', 'var/lib/network_system/checkpoints'])
    await stageAndSwap(task)
    expect(contents()).toEqual(restored)
    expect(readdirSync(source)).toEqual(['.netops-restore-' + task.run, 'one'])
    await putBack(task)
    await clearUp(task, roots, 'undone')
    expect(readdirSync(source)).toEqual(['two'])
  })
})

describe('a disk without room', () => {
  test('is found out before anything is touched, and nothing is left there', async () => {
    await simpleStory()
    const at = join(base, 'var/lib/network_system')
    writeFileSync(join(at, 'large'), randomBytes(4 << 20))
    await archive('large')
    rmSync(join(at, 'large'))
    const copy = join(base, 'copy')
    await execText(['cp', '-a', at, copy])
    await execText(['mount', '-t', 'tmpfs', '-o', 'size=2m,mode=0750', 'netops-test', at])
    try {
      await execText(['cp', '-aT', copy, at])
      const before = contents()
      const task = await taskFor('large')
      await expect(stageRestore(task, { signal, database: 'state.db', pool })).rejects.toMatchObject({
        code: 'failed',
        message: expect.stringContaining('free') as string,
      })
      await clearUp(task, roots, 'undone')
      expect(contents()).toEqual(before)
      expect(litter()).toEqual([])
    } finally {
      await execText(['umount', at])
    }
  })
})

describe('links that somebody plants', () => {
  test('in the way of what is put in place lead nowhere', async () => {
    await simpleStory()
    const outside = join(base, 'outside')
    mkdirSync(outside)
    writeFileSync(join(outside, 'two'), 'theirs')
    writeFileSync(join(base, 'var/lib/network_system/checkpoints/.lock'), 'mine')
    const task = await taskFor('then')
    await stageRestore(task, { signal, database: 'state.db', pool })
    // Between the look and the swap, by whoever may write to the service's data.
    const at = join(base, 'var/lib/network_system/checkpoints')
    const died = swap(task, (name) => {
      if (!name.includes('checkpoints') || !lstatSync(at).isDirectory()) return
      renameSync(at, `${at}.moved`)
      symlinkSync(outside, at)
      throw new Died()
    })
    await expect(died).rejects.toThrow(Died)
    await expect(swap(task)).rejects.toMatchObject({ code: 'refused' })
    await expect(putBack(task)).rejects.toMatchObject({ code: 'refused' })
    expect(readdirSync(outside)).toEqual(['two'])
    rmSync(at)
    renameSync(`${at}.moved`, at)
    await putBack(task)
    expect(contentOf('var/lib/network_system/checkpoints/two')).toBe('now')
    await clearUp(task, roots, 'undone')
  })

  test('a root that is a link is refused, and so is a folder that others may write to', async () => {
    await simpleStory()
    const at = join(base, 'etc/network_system')
    renameSync(at, `${at}.real`)
    symlinkSync(`${at}.real`, at)
    await expect(taskFor('then')).rejects.toMatchObject({ code: 'refused' })
    rmSync(at)
    renameSync(`${at}.real`, at)
    const task = await taskFor('then')
    chmodSync(join(base, 'etc'), 0o777)
    await expect(stageRestore(task, { signal, database: 'state.db', pool })).rejects.toMatchObject({ code: 'refused' })
    chmodSync(join(base, 'etc'), 0o755)
    expect(litter()).toEqual([])
  })
})

describe('an archive that somebody made', () => {
  test.each<[string, Handmade[]]>([
    ['an absolute name', [{ name: '/etc/evil', data: 'x' }]],
    [
      'a name that leads up',
      [
        { name: 'top', type: '5' },
        { name: 'top/../../evil', data: 'x' },
      ],
    ],
    [
      'a file behind a link',
      [
        { name: 'top', type: '5' },
        { name: 'top/link', type: '2', target: '/' },
        { name: 'top/link/evil', data: 'x' },
      ],
    ],
    [
      'a device',
      [
        { name: 'top', type: '5' },
        { name: 'top/null', type: '3' },
      ],
    ],
    ['something outside of its roots', [{ name: 'evil', data: 'x' }]],
  ])('with %s is refused before anything is written', async (_, entries) => {
    const place = { folder: archives, name: 'config_20260101_000000' }
    await handmade(place, entries)
    const before = readdirSync(base, { recursive: true, encoding: 'utf8' })
    const task = restoreTask.parse({
      ...{ run: 'run-evil', base, tops: ['top'], places: [''], leave: [], database: null },
      archive: { ...place, manifestSha256: await manifestHash(place) },
    })
    await expect(stageRestore(task, { signal, database: 'state.db', pool })).rejects.toMatchObject({
      code: expect.stringMatching(/refused|damaged/) as string,
    })
    await clearUp(task, [], 'undone').catch(() => undefined)
    expect(existsSync('/etc/evil') || existsSync('/evil') || existsSync(join(base, '..', 'evil'))).toBe(false)
    expect(
      readdirSync(base, { recursive: true, encoding: 'utf8' }).filter(
        (name) => !before.includes(name) && !name.startsWith('.netops-restore'),
      ),
    ).toEqual([])
  })
})
