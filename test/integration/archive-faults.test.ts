// Archives under attack and in accidents: damage is found, what must not be unpacked is not, and who is killed leaves nothing.
import { randomInt } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { chown, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { constants } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { extractArchive } from '../../src/archive/extract.ts'
import { makeArchive, type ArchiveRequest } from '../../src/archive/make.ts'
import type { Manifest } from '../../src/archive/manifest.ts'
import { ThreadPool } from '../../src/archive/threads/pool.ts'
import { verifyArchive } from '../../src/archive/verify.ts'
import { exec, execText } from '../../src/system/exec.ts'
import { handmade, type Handmade } from '../support/handmade-archive.ts'
import { quickFolder } from '../support/scratch.ts'

const endurance = process.env.NETOPS_ENDURANCE === '1'
const program = join(import.meta.dirname, '../support/archive-program.ts')
const pool = new ThreadPool(1)
afterAll(() => pool.end())

let scratch: string
let tree: string
let request: ArchiveRequest
beforeEach(async () => {
  scratch = await quickFolder('archive-faults')
  tree = join(scratch, 'base/top')
  mkdirSync(join(tree, 'folder'), { recursive: true })
  for (let at = 0; at < 100; at += 1) writeFileSync(join(tree, `folder/${at}`), `${at}`.repeat(500))
  writeFileSync(join(tree, 'large'), Buffer.alloc(9_000_000, 'large'))
  linkSync(join(tree, 'large'), join(tree, 'larger'))
  request = {
    ...{ place: { folder: join(scratch, 'archives'), name: 'a' }, base: join(scratch, 'base'), roots: ['top'] },
    compression: 'gzip',
  }
})
afterEach(() => rm(scratch, { recursive: true, force: true }))

const named = (name: string, last?: string): ArchiveRequest => ({ ...request, place: { ...request.place, name }, last })
/** Long after whatever was changed: all of it is settled. */
const soon = { pool, now: () => new Date(Date.now() + 60_000) }

/** Makes an archive in a process of its own. */
const run = (argv: readonly string[], wanted: ArchiveRequest, ...more: readonly string[]) =>
  exec([...argv, '--disable-warning=ExperimentalWarning', program, JSON.stringify(wanted), ...more], {
    // Compiling the sources takes longer than the archive.
    env: { NODE_COMPILE_CACHE: join(scratch, 'compiled') },
  })
const killed = 128 + constants.signals.SIGKILL

/** Archives of a folder by name; nothing else is in it. */
function archivesIn(folder: string): readonly string[] {
  const names = readdirSync(folder).sort()
  const archives = names
    .filter((name) => name.endsWith('.manifest.json'))
    .map((name) => name.replace('.manifest.json', ''))
  const expected = archives.flatMap((name) => [`${name}.index.gz`, `${name}.manifest.json`, `${name}.tar.gz`])
  expect(names).toEqual(expected.toSorted())
  return archives
}

test('a flipped bit is found wherever it is, is never unpacked, and is not taken over', async () => {
  const seed = Number(process.env.NETOPS_SEED ?? randomInt(2 ** 31))
  console.log(`NETOPS_SEED=${seed}`)
  await makeArchive(request, soon)
  for (const file of ['a.tar.gz', 'a.index.gz', 'a.manifest.json']) {
    const path = join(request.place.folder, file)
    const whole = readFileSync(path)
    const flips = endurance ? 100 : 8
    for (let flip = 0; flip < flips; flip += 1) {
      // Spread evenly, and by the seed in between.
      const at = Math.floor(((flip + ((seed / (flip + 1)) % 1)) / flips) * whole.length)
      const flipped = Buffer.from(whole)
      flipped.writeUInt8(flipped.readUInt8(at) ^ (1 << ((seed + flip) % 8)), at)
      writeFileSync(path, flipped)
      const { damages } = await verifyArchive(request.place, { pool })
      expect({ file, at, found: damages.length > 0 }).toEqual({ file, at, found: true })
      const into = join(scratch, 'into')
      await expect(extractArchive({ place: request.place, into }, { pool })).rejects.toMatchObject({ code: 'damaged' })
      expect(existsSync(into)).toBe(false)
      if (flip !== 1) continue
      writeFileSync(join(tree, 'more'), file)
      const next = await makeArchive(named(`after-${file}`, 'a'), soon)
      expect(await verifyArchive({ ...request.place, name: `after-${file}` }, { pool })).toMatchObject({ damages: [] })
      expect(next.manifest.rebuilt).toBe(next.manifest.begun)
      expect(next.lastRefused).toMatch(/\S/)
    }
    writeFileSync(path, whole)
  }
  expect(await verifyArchive(request.place, { pool })).toMatchObject({ damages: [] })
})

test('what is cut off, appended or missing is found', async () => {
  await makeArchive(request, { pool })
  for (const file of ['a.tar.gz', 'a.index.gz', 'a.manifest.json']) {
    const path = join(request.place.folder, file)
    const whole = readFileSync(path)
    for (const other of [whole.subarray(0, -1), whole.subarray(0, 10), Buffer.concat([whole, Buffer.from('\n')])]) {
      writeFileSync(path, other)
      expect((await verifyArchive(request.place, { pool })).damages).not.toEqual([])
    }
    await rm(path)
    expect((await verifyArchive(request.place, { pool })).damages).not.toEqual([])
    writeFileSync(path, whole)
  }
})

test('a sample reads some of the slabs, others with another seed, and finds damage in them', async () => {
  const { manifest } = await makeArchive(request, { pool })
  const sampled = async (seed: number) =>
    (await verifyArchive(request.place, { sample: { share: 0.5, seed }, pool })).read.slabs
  const counts = await Promise.all([1, 2, 3, 4, 5, 6].map(sampled))
  for (const count of counts) expect(count).toBeLessThanOrEqual(manifest.totals.slabs)
  expect(Math.min(...counts)).toBeLessThan(manifest.totals.slabs)
  const path = join(request.place.folder, 'a.tar.gz')
  const bytes = readFileSync(path)
  bytes.writeUInt8(bytes.readUInt8(100) ^ 1, 100)
  writeFileSync(path, bytes)
  expect((await verifyArchive(request.place, { sample: { share: 1, seed: 1 }, pool })).damages).not.toEqual([])
})

test('whoever is killed leaves no half archive, and the next one clears up', async () => {
  const node = [process.execPath]
  const whole = await run(node, named('first'))
  const { calls } = JSON.parse(whole.stdout) as { readonly calls: number }
  expect(calls).toBeGreaterThan(20)
  const seed = Number(process.env.NETOPS_SEED ?? randomInt(2 ** 31))
  console.log(`NETOPS_SEED=${seed}`)
  const kills = endurance ? calls : 5
  for (let kill = 0; kill < kills; kill += 1) {
    const call = endurance ? kill + 1 : 1 + Math.floor(((kill + (seed % 97) / 97) / kills) * calls)
    writeFileSync(join(tree, 'changing'), `${kill}`)
    const { code } = await run(node, named('killed', 'first'), `${call}`)
    expect({ call, code }).toEqual({ call, code: killed })
    const { folder } = request.place
    const isThere = existsSync(join(folder, 'killed.manifest.json'))
    if (isThere) expect(await verifyArchive({ folder, name: 'killed' }, { pool })).toMatchObject({ damages: [] })
    await makeArchive(named(`next-${kill}`, 'first'), { pool })
    for (const name of archivesIn(folder)) {
      expect(await verifyArchive({ folder, name }, { pool })).toMatchObject({ damages: [] })
      if (name !== 'first')
        for (const file of readdirSync(folder)) if (file.startsWith(`${name}.`)) await rm(join(folder, file))
    }
  }
})

test('a name that is taken is left to whom it belongs', async () => {
  mkdirSync(request.place.folder, { mode: 0o700 })
  writeFileSync(join(request.place.folder, 'a.tar.gz'), 'of somebody else')
  await expect(makeArchive(request, { pool })).rejects.toMatchObject({ code: 'failed' })
  expect(readdirSync(request.place.folder)).toEqual(['a.tar.gz'])
  expect(readFileSync(join(request.place.folder, 'a.tar.gz'), 'utf8')).toBe('of somebody else')
})

test('nothing that changed makes another name for the same archive', async () => {
  const first = await makeArchive(request, soon)
  const second = await makeArchive(named('b', 'a'), soon)
  expect(second).toMatchObject({ slabs: { made: 0 }, manifest: { archive: { sha256: first.manifest.archive.sha256 } } })
  expect(await verifyArchive({ ...request.place, name: 'b' }, { pool })).toMatchObject({ damages: [] })
  writeFileSync(join(tree, 'folder/50'), 'changed')
  const third = await makeArchive(named('c', 'b'), soon)
  expect(third.slabs.made).toBeGreaterThan(0)
  expect(third.slabs.copied).toBeGreaterThan(third.slabs.made)
  expect(third.manifest.rebuilt).toBe(first.manifest.begun)
})

test('what changed within two seconds before is read again', async () => {
  await makeArchive(request, { pool })
  const again = await makeArchive(named('b', 'a'), { pool })
  expect(again.slabs.copied).toBe(0)
})

test('a stop leaves nothing', async () => {
  const stop = new AbortController()
  const onProgress = (): void => stop.abort()
  await expect(makeArchive(request, { pool, signal: stop.signal, onProgress })).rejects.toMatchObject({
    code: 'interrupted',
  })
  expect(readdirSync(request.place.folder)).toEqual([])
})

test('one hard link alone is unpacked with what it leads to, and without its other names', async () => {
  await makeArchive(request, { pool })
  const into = join(scratch, 'into')
  await extractArchive({ place: request.place, into, only: ['top/larger'] }, { pool })
  expect(readdirSync(join(into, 'top'))).toEqual(['larger'])
  expect(readFileSync(join(into, 'top/larger'))).toEqual(readFileSync(join(tree, 'large')))
})

describe('what is not in an archive is named', () => {
  test('sockets, pipes, what is excluded, and what is mounted', async () => {
    const server = createServer().listen(join(tree, 'socket'))
    await execText(['mkfifo', join(tree, 'pipe')])
    mkdirSync(join(tree, 'cache/below'), { recursive: true })
    mkdirSync(join(tree, 'mounted'))
    const isRoot = process.getuid?.() === 0
    if (isRoot) await execText(['mount', '-t', 'tmpfs', 'none', join(tree, 'mounted')])
    try {
      if (isRoot) writeFileSync(join(tree, 'mounted/inside'), '')
      const { manifest } = await makeArchive({ ...request, exclude: ['top/cache', '*9'] }, { pool })
      const of = (why: string): readonly string[] =>
        manifest.leftOut.filter((left) => left.why === why).map(({ name }) => name)
      expect(of('excluded')).toEqual([
        'top/cache',
        ...[19, 29, 39, 49, 59, 69, 79, 89, 9, 99].map((at) => `top/folder/${at}`),
      ])
      expect({ sockets: of('socket'), pipes: of('fifo') }).toEqual({ sockets: ['top/socket'], pipes: ['top/pipe'] })
      expect(of('mount')).toEqual(isRoot ? ['top/mounted'] : [])
      const list = await execText(['tar', '-tzf', join(request.place.folder, 'a.tar.gz')])
      expect(list.split('\n')).toContain('top/mounted/')
      expect(list).not.toMatch(/cache|socket|pipe|inside|9$/m)
    } finally {
      if (isRoot) await execText(['umount', join(tree, 'mounted')])
      server.close()
    }
  })

  test.runIf(process.getuid?.() === 0)('what cannot be read', async () => {
    const user = 64_000
    for (const path of [scratch, join(scratch, 'base'), tree]) await chown(path, user, user)
    chmodSync(join(tree, 'folder/7'), 0)
    chmodSync(join(tree, 'large'), 0)
    mkdirSync(join(tree, 'closed'), { mode: 0o700 })
    const madeByUser = async (wanted: ArchiveRequest): Promise<Manifest> => {
      const made = await run(
        ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups', process.execPath],
        wanted,
      )
      return (JSON.parse(made.stdout) as { readonly manifest: Manifest }).manifest
    }
    const manifest = await madeByUser(request)
    const unreadable = manifest.troubles.filter(({ what }) => what === 'unreadable').map(({ name }) => name)
    // The folder is there, but not what it holds; of a file that cannot be read, no other name leads anywhere.
    expect(unreadable.toSorted()).toEqual(['top/closed', 'top/closed', 'top/folder/7', 'top/large', 'top/larger'])
    expect(await verifyArchive(request.place, { pool })).toMatchObject({ damages: [] })
    for (const path of ['folder/7', 'large', 'closed']) chmodSync(join(tree, path), 0o755)
    expect((await madeByUser(named('b', 'a'))).troubles).toEqual([])
  })

  test('a file that changes while it is read', async () => {
    const tools = join(scratch, 'tools')
    mkdirSync(tools)
    const pipe = join(scratch, 'between')
    await execText(['mkfifo', pipe])
    const real = (await execText(['which', 'tar'])).trim()
    // It takes no more of tar's output before the file is another one.
    const script = `#!/bin/sh\nexec 3<&0\n'${real}' "$@" <&3 > '${pipe}' & { dd bs=64k count=30 iflag=fullblock 2> /dev/null; echo >> '${tree}/large'; cat; } < '${pipe}'\nwait $!\n`
    writeFileSync(join(tools, 'tar'), script, { mode: 0o755 })
    const before = process.env.PATH
    process.env.PATH = `${tools}:${before ?? ''}`
    try {
      const { manifest } = await makeArchive(request, { pool })
      expect(manifest.troubles).toEqual([{ name: 'top/large', what: 'changed', reason: 'file changed as we read it' }])
    } finally {
      process.env.PATH = before
    }
    expect(await verifyArchive(request.place, { pool })).toMatchObject({ damages: [] })
    expect((await makeArchive(named('b', 'a'), { pool })).manifest.troubles).toEqual([])
  })

  test('a root that is missing; a root that is a link is refused', async () => {
    const { manifest } = await makeArchive({ ...request, roots: ['top', 'gone'] }, { pool })
    expect(manifest.troubles).toMatchObject([{ name: 'gone', what: 'missing' }])
    symlinkSync('top', join(scratch, 'base/link'))
    await expect(makeArchive({ ...named('b'), roots: ['link'] }, { pool })).rejects.toMatchObject({ code: 'usage' })
    await expect(makeArchive({ ...named('b'), roots: ['gone'] }, { pool })).rejects.toMatchObject({ code: 'failed' })
  })
})

describe('what must not be unpacked is not', () => {
  const top: Handmade = { name: 'top', type: '5' }
  const cases: Readonly<Record<string, readonly Handmade[]>> = {
    'a name that begins at the root': [top, { name: '/top/a', data: 'x' }],
    'a name that leads up': [top, { name: 'top/../../outside', data: 'x' }],
    'a name outside of the roots': [top, { name: 'zzz', data: 'x' }],
    'a file below a link': [top, { name: 'top/a', type: '2', target: '/etc' }, { name: 'top/a/b', data: 'x' }],
    'a file below a file': [top, { name: 'top/a', data: 'x' }, { name: 'top/a/b', data: 'x' }],
    'a file in a folder that is missing': [top, { name: 'top/a/b', data: 'x' }],
    'the same name twice': [top, { name: 'top/a', data: 'x' }, { name: 'top/a', data: 'y' }],
    'names out of order': [top, { name: 'top/b', data: 'x' }, { name: 'top/a', data: 'y' }],
    'a hard link out': [top, { name: 'top/a', type: '1', target: '/etc/passwd' }],
    'a hard link to a link': [
      top,
      { name: 'top/a', type: '2', target: '/etc/passwd' },
      { name: 'top/b', type: '1', target: 'top/a' },
    ],
    'a hard link to what comes later': [
      top,
      { name: 'top/a', type: '1', target: 'top/b' },
      { name: 'top/b', data: 'x' },
    ],
    'a device': [top, { name: 'top/a', type: '3', index: { size: 0 } }],
    'a pipe': [top, { name: 'top/a', type: '6', index: { size: 0 } }],
    'another name in the tar than in the index': [top, { name: '/etc/evil', data: 'x', index: { name: 'top/a' } }],
    'another target in the tar than in the index': [
      top,
      { name: 'top/a', data: 'x' },
      { name: 'top/b', type: '1', target: '/etc/passwd', index: { target: 'top/a' } },
    ],
    'another mode in the tar than in the index': [top, { name: 'top/a', data: 'x', header: { mode: 0o4755 } }],
    'another name by a record': [top, { name: 'top/a', data: 'x', header: { records: [['path', '/etc/evil']] } }],
    'a record that is not understood': [
      top,
      { name: 'top/a', data: 'x', header: { records: [['GNU.dumpdir', 'Yx']] } },
    ],
    'a size by a record': [top, { name: 'top/a', data: 'x'.repeat(600), header: { records: [['size', '1']] } }],
  }
  test.each(Object.entries(cases))('%s', async (_, entries) => {
    await handmade(request.place, entries)
    const into = join(scratch, 'into')
    await expect(extractArchive({ place: request.place, into }, { pool })).rejects.toMatchObject({
      code: expect.stringMatching(/^(?:refused|damaged)$/) as string,
    })
    expect(existsSync(into)).toBe(false)
    expect(readdirSync(scratch).toSorted()).toEqual(['archives', 'base'])
  })

  test('more than the index says comes of a piece', async () => {
    await handmade(request.place, [top, { name: 'top/a', data: '\0'.repeat(3_000_000) }], 2048)
    const into = join(scratch, 'into')
    await expect(extractArchive({ place: request.place, into }, { pool })).rejects.toMatchObject({ code: 'damaged' })
    expect((await verifyArchive(request.place, { pool })).damages).not.toEqual([])
  })

  test('into a folder that holds something, or into which others may write', async () => {
    await handmade(request.place, [top])
    await expect(extractArchive({ place: request.place, into: tree }, { pool })).rejects.toMatchObject({
      code: 'refused',
    })
    const open = join(scratch, 'open')
    mkdirSync(open)
    chmodSync(open, 0o777)
    await expect(extractArchive({ place: request.place, into: join(open, 'x') }, { pool })).rejects.toMatchObject({
      code: 'refused',
    })
    expect(readdirSync(open)).toEqual([])
  })

  test('links that lead anywhere are kept, and nothing is written through them', async () => {
    await handmade(request.place, [
      top,
      { name: 'top/a', type: '2', target: '/etc/passwd' },
      { name: 'top/b', data: 'x' },
    ])
    await extractArchive({ place: request.place, into: join(scratch, 'into') }, { pool })
    expect(readdirSync(join(scratch, 'into/top'))).toEqual(['a', 'b'])
  })
})
