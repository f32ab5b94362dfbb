// Pushes that send only what the host lacks, by the netops on the host, and whole ones where there is none: over a real sshd.
import { randomBytes } from 'node:crypto'
import { appendFile, chmod, link as linkFile, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { stat, symlink, truncate, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest'
import type { Endpoint, HostConnection } from '../../src/drivers/hosts/port.ts'
import { pushFile, type PushEffect } from '../../src/drivers/hosts/push.ts'
import { connectSsh } from '../../src/drivers/hosts/ssh.ts'
import { blockSize } from '../../src/system/blocks.ts'
import { execText } from '../../src/system/exec.ts'
import { sha256OfFile } from '../../src/system/files.ts'
import { startSlowLink, type SlowLink } from '../support/slow-link.ts'
import { startSshd, type Sshd } from '../support/sshd.ts'

let folder: string
let sshd: Sshd
let host: HostConnection
beforeAll(async () => {
  // Beside the built netops, so that a host can have it by a link.
  folder = await mkdtemp(join(dirname(inject('builds').netops), 'push-'))
  const keys = await mkdtemp(join(tmpdir(), 'netops-sshd-'))
  sshd = await startSshd(keys)
  host = await connectSsh(sshd.target)
  return async () => {
    await host.close()
    await sshd.stop()
    await rm(keys, { recursive: true, force: true })
  }
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** What of a whole file is sent as it is. */
const firstPart = 4 * 1024 * 1024
const blocks = (count: number): Buffer => randomBytes(count * blockSize)
const old = Buffer.concat([blocks(64), randomBytes(1000)])
/** The file for the release while it is pushed. */
const temporary = '.network_server.netops-new-r1'

let site: string
let told: string[]
const at = (...names: readonly string[]): string => join(site, ...names)
beforeEach(async () => {
  site = await mkdtemp(join(folder, 'a site with blanks '))
  told = []
  await mkdir(at('incoming'))
  await mkdir(at('netops', 'abc'), { recursive: true })
})

async function release(content: Buffer, name = 'one', ageS = 0): Promise<string> {
  await mkdir(at('releases', name), { recursive: true })
  const file = at('releases', name, 'network_server')
  await writeFile(file, content)
  const when = Date.now() / 1000 - ageS
  await utimes(file, when, when)
  return file
}

async function effectFor(content: Buffer): Promise<PushEffect> {
  const from = at('source')
  await writeFile(from, content)
  const bases = { releases: at('releases'), netops: at('netops') }
  const place = { path: at('incoming', 'network_server'), mode: '0755' }
  return { kind: 'push', from, ...place, sha256: await sha256OfFile(from), size: content.length, run: 'r1', bases }
}

async function push(content: Buffer, over: HostConnection = host): Promise<number> {
  const { bytes, of } = await pushFile(over, await effectFor(content), (line) => told.push(line))
  expect((await readFile(at('incoming', 'network_server'))).equals(content)).toBe(true)
  expect((await stat(at('incoming', 'network_server'))).mode & 0o7777).toBe(0o755)
  expect(await readdir(at('incoming'))).toEqual(['network_server'])
  expect(of).toBe(content.length)
  return bytes
}

const changed = (block: number, by = blocks(1)): Buffer =>
  Buffer.concat([old.subarray(0, block * blockSize), by, old.subarray((block + 1) * blockSize)])
const giveNetops = () => linkFile(inject('builds').netops, at('netops', 'abc', 'netops'))

describe('a push to a host with netops', () => {
  beforeEach(giveNetops)

  test('sends next to nothing of what is there already', async () => {
    await release(old)
    expect(await push(old)).toBeLessThan(1000)
    expect(told).toEqual([])
  })

  test('sends the one block that changed', async () => {
    await release(old)
    const bytes = await push(changed(7))
    expect([bytes >= blockSize, bytes < blockSize + 1000]).toEqual([true, true])
  })

  test('sends the last block by its own length', async () => {
    await release(old)
    expect(await push(Buffer.concat([old, randomBytes(5)]))).toBeLessThan(2000)
  })

  test('finds blocks that stand elsewhere', async () => {
    await release(old)
    const bytes = await push(Buffer.concat([blocks(3), old]))
    expect([bytes >= 3 * blockSize, bytes < 3 * blockSize + 1000]).toEqual([true, true])
  })

  test('takes the newest release of a size that makes sense', async () => {
    await release(old, 'one', 100)
    await release(blocks(64), 'two', 200)
    await release(randomBytes(100), 'three', 0)
    expect(await push(changed(0))).toBeLessThan(2 * blockSize)
  })

  test('sends all where there is nothing', async () => {
    expect(await push(old)).toBe(old.length)
  })

  test('sends all where nothing is alike', async () => {
    await release(blocks(64))
    expect(await push(old)).toBe(old.length)
    expect(told).toEqual([])
  })

  test('sends all after a base was damaged between the look and the use', async () => {
    const base = await release(old)
    const bytes = await push(
      changed(7),
      beforeAssembly(() => writeFile(base, changed(30))),
    )
    expect(bytes).toBeGreaterThan(old.length)
    expect(told).toEqual([expect.stringContaining('is sent whole')])
  })

  test('sends all after a base became shorter, or was removed', async () => {
    const base = await release(old)
    await push(
      changed(7),
      beforeAssembly(() => truncate(base, blockSize)),
    )
    await release(old)
    await push(
      changed(7),
      beforeAssembly(() => rm(base)),
    )
    expect(told).toHaveLength(2)
  })

  test('fails as damaged when the source is not what its hash says, and leaves what was there', async () => {
    await release(old)
    const effect = { ...(await effectFor(changed(3))), sha256: 'a'.repeat(64) }
    await writeFile(effect.path, 'before')
    const failed = pushFile(host, effect, (line) => told.push(line))
    await expect(failed).rejects.toMatchObject({ code: 'damaged', host: 'web1' })
    expect(await readFile(effect.path, 'utf8')).toBe('before')
    expect(told).toHaveLength(1)
  })

  test('is done again over what a cut off one left', async () => {
    await release(old)
    await writeFile(at('incoming', temporary), old.subarray(0, 100_000))
    const bytes = await pushFile(host, await effectFor(changed(7)), (line) => told.push(line))
    expect(bytes.bytes).toBeLessThan(2 * blockSize)
    expect(await sha256OfFile(at('incoming', 'network_server'))).toBe(await sha256OfFile(at('source')))
  })

  test('throws when the host is lost on the way', async () => {
    await release(old)
    const own = await connectSsh(sshd.target)
    const cut = beforeAssembly(() => own.close(), own)
    await expect(pushFile(cut, await effectFor(changed(7)), (line) => told.push(line))).rejects.toMatchObject({
      code: 'unreachable',
    })
    expect(told).toEqual([])
  })

  describe('goes on where an earlier one broke off', () => {
    const left = (content: Buffer, name = temporary) => writeFile(at('incoming', name), content)
    const first = (count: number, more = 0): Buffer => old.subarray(0, count * blockSize + more)
    const restAfter = (count: number): number => old.length - count * blockSize
    const expectSent = (bytes: number, expected: number) => {
      expect(bytes).toBeGreaterThanOrEqual(expected)
      // The stream around the blocks.
      expect(bytes).toBeLessThanOrEqual(expected + 2000)
      expect(told).toEqual([])
    }

    test.each([
      ['within a block', first(40, 1000), restAfter(40)],
      ['and was tampered with', Buffer.concat([first(5), blocks(1), first(40).subarray(6 * blockSize)]), restAfter(39)],
      ['at the end of a block', first(40), restAfter(40)],
      ['at the very end', old, 0],
      ['and its end was lost in a power cut', Buffer.concat([first(10), Buffer.alloc(20 * blockSize)]), restAfter(10)],
      ['after more than there is now', Buffer.concat([old, blocks(30)]), 1000],
      ['with nothing of this content', blocks(40), old.length],
    ] as const)('%s', async (_, partial, expected) => {
      await left(partial)
      expectSent(await push(old), expected)
    })

    test('for the second time, by the longer of both that are left', async () => {
      await left(first(40))
      await left(first(20), `${temporary}.part`)
      expectSent(await push(old), restAfter(40))
      await rm(at('incoming', 'network_server'))
      await left(first(20))
      await left(first(50), `${temporary}.part`)
      expectSent(await push(old), restAfter(50))
    })

    test('by what another run still writes, and lets that alone', async () => {
      const other = at('incoming2', '.network_server.netops-new-r2')
      await mkdir(dirname(other))
      await writeFile(other, first(40, 7))
      const more = once(() => appendFile(other, old.subarray(40 * blockSize + 7, 45 * blockSize + 9)))
      expectSent(await push(old, beforeCommand(/host blocks/, more)), restAfter(45))
      expect((await readFile(other)).equals(first(45, 9))).toBe(true)
    })

    test('whatever else the host has', async () => {
      await release(changed(60))
      await left(first(40))
      expectSent(await push(old), blockSize)
    })

    test('and removes what is of no use', async () => {
      await left(Buffer.concat([old, old, old]))
      expectSent(await push(old), old.length)
    })
  })

  test('sends what changed, in however many places', async () => {
    const many = blocks(210)
    await release(many)
    const mixed = Buffer.from(many)
    for (let block = 0; block < 210; block += 2) blocks(1).copy(mixed, block * blockSize)
    const bytes = await push(mixed)
    expect([bytes >= 105 * blockSize, bytes < 106 * blockSize]).toEqual([true, true])
  })
})

describe('a push to a host without netops', () => {
  test('sends all, whatever is there', async () => {
    await release(old)
    await writeFile(at('incoming', temporary), old.subarray(0, 40 * blockSize))
    await writeFile(at('incoming', `${temporary}.part`), old.subarray(0, 50 * blockSize))
    expect(await push(old)).toBe(old.length)
    expect(told).toEqual([])
  })

  test('sends all where a netops knows nothing of blocks', async () => {
    await release(old)
    await writeFile(at('incoming', temporary), old.subarray(0, 40 * blockSize))
    await writeFile(at('netops', 'abc', 'netops'), '#!/bin/sh\nexit 2\n')
    await chmod(at('netops', 'abc', 'netops'), 0o755)
    expect(await push(old)).toBe(old.length)
    expect(told).toEqual([])
  })

  test('fails as damaged when the source is not what its hash says, and leaves what was there', async () => {
    const effect = { ...(await effectFor(old)), sha256: 'a'.repeat(64) }
    await writeFile(effect.path, 'before')
    await expect(pushFile(host, effect, (line) => told.push(line))).rejects.toMatchObject({ code: 'damaged' })
    expect(await readFile(effect.path, 'utf8')).toBe('before')
  })

  test('throws when the host is lost on the way', async () => {
    const own = await connectSsh(sshd.target)
    const cut = beforeCommand(/exec dd /, () => own.close(), own)
    await expect(pushFile(cut, await effectFor(old), (line) => told.push(line))).rejects.toMatchObject({
      code: 'unreachable',
    })
  })

  describe('of what compresses well', () => {
    // Hexadecimal digits are half of what they take.
    const digits = Buffer.from(randomBytes(4_500_000).toString('hex'))
    let link: SlowLink
    let over: HostConnection
    beforeEach(async () => {
      link = await startSlowLink(sshd, at('known_hosts'))
      over = await connectSsh(link.target)
      // Slow beside what relay, client and test have to do, all three in this process.
      link.limitTo(3_000_000)
    })
    afterEach(async () => {
      await over.close()
      await link.close()
    })

    test('sends it compressed over a slow link, and tells what passed there', async () => {
      await writeFile(at('incoming', temporary), digits.subarray(0, 400_000))
      const begun = link.passed()
      const bytes = await push(digits, over)
      expect(bytes).toBeLessThan(0.65 * digits.length + firstPart)
      expect(Math.abs(link.passed() - begun - bytes)).toBeLessThan(0.02 * bytes + 50_000)
    })

    test('sends it as it is where the host cannot unzip', async () => {
      const bin = at('bin')
      await mkdir(bin)
      const needed = ['sh', 'stat', 'install', 'dd', 'sha256sum', 'chmod', 'sync', 'mv']
      for (const name of needed) await symlink(`/usr/bin/${name}`, join(bin, name))
      const poor = { ...wrapped(over), run: run(over, (argv) => ['/usr/bin/env', `PATH=${bin}`, ...argv]) }
      expect(await push(digits, poor)).toBe(digits.length)
    })
  })
})

describe.each([
  ['with netops', true],
  ['without netops', false],
])('a push to a host %s', (_, hasNetops) => {
  beforeEach(async () => {
    if (hasNetops) await giveNetops()
  })

  test.each([
    ['early', 96, 1_000_000],
    ['behind its first part', 160, firstPart + 500_000],
  ])('sends it after connections were cut %s, and again', async (_, count, place) => {
    const content = blocks(count)
    const effect = await effectFor(content)
    const sizeThere = async (): Promise<number> => {
      const found = await stat(at('incoming', temporary)).catch(() => undefined)
      return found?.size ?? 0
    }
    const link = await startSlowLink(sshd, at('known_hosts'))
    const cutAt = async (size: number): Promise<number> => {
      const others = await sshd.connections()
      const over = await connectSsh(link.target)
      const own = (await sshd.connections()).filter((pid) => !others.includes(pid))
      link.limitTo(8_000_000)
      const pushed = pushFile(over, effect, (line) => told.push(line)).catch((error: unknown) => error)
      while ((await sizeThere()) < size) await sleep(5)
      for (const pid of own) process.kill(pid, 'SIGKILL')
      expect(await pushed).toMatchObject({ code: 'unreachable' })
      await over.close()
      return sizeThere()
    }
    try {
      const first = await cutAt(place)
      const arrived = await cutAt(first + 1_000_000)
      const kept = await readdir(at('incoming'))
      expect(kept.includes(`${temporary}.part`)).toBe(hasNetops)
      link.limitTo(Infinity)
      const over = await connectSsh(link.target)
      const begun = link.passed()
      const { bytes } = await pushFile(over, effect, (line) => told.push(line))
      await over.close()
      // On a busy machine the link looks slow: the content, which is random, is zipped and grows by a little.
      expect(bytes).toBeLessThanOrEqual(1.001 * (content.length - (hasNetops ? arrived - blockSize - 1000 : 0)))
      expect(Math.abs(link.passed() - begun - bytes)).toBeLessThan(0.02 * bytes + 50_000)
    } finally {
      await link.close()
    }
    expect((await readFile(at('incoming', 'network_server'))).equals(content)).toBe(true)
    expect(await readdir(at('incoming'))).toEqual(['network_server'])
    expect(told).toEqual([])
  })

  test.skipIf(process.getuid?.() !== 0).each([
    ['at once', Infinity],
    ['over a slow link', 8_000_000],
  ])('tells that the disk is full behind the first part, and goes on when there is room, %s', async (_, limit) => {
    const content = blocks(160)
    await execText(['mount', '-t', 'tmpfs', '-o', 'size=6m', 'netops-test', at('incoming')])
    const link = await startSlowLink(sshd, at('known_hosts'))
    const over = await connectSsh(link.target)
    link.limitTo(limit)
    try {
      await writeFile(at('incoming', 'network_server'), 'before')
      await expect(push(content, over)).rejects.toMatchObject({
        code: 'failed',
        message: expect.stringMatching(/^the disk is full: .*dd .*No space left on device/s) as unknown,
      })
      expect(await readFile(at('incoming', 'network_server'), 'utf8')).toBe('before')
      await execText(['mount', '-o', 'remount,size=40m', at('incoming')])
      // What zips badly takes a little more when it is zipped.
      expect(await push(content, over)).toBeLessThan(hasNetops ? content.length - firstPart : 1.01 * content.length)
    } finally {
      await over.close()
      await link.close()
      await execText(['umount', at('incoming')])
    }
  })
})

/** The host, to which something happens just before a file is put together there. */
const beforeAssembly = (happens: () => Promise<unknown>, over = host): HostConnection =>
  beforeCommand(/host assemble/, happens, over)

function beforeCommand(command: RegExp, happens: () => Promise<unknown>, over = host): HostConnection {
  return {
    ...wrapped(over),
    async run(argv, options) {
      if (command.test(argv.join(' '))) await happens()
      return over.run(argv, options)
    },
  }
}

const wrapped = (over: HostConnection) => ({
  name: over.name,
  open: (to: Endpoint) => over.open(to),
  close: () => over.close(),
})
const run =
  (over: HostConnection, change: (argv: readonly string[]) => string[]): HostConnection['run'] =>
  (argv, options) =>
    over.run(change(argv), options)

function once(work: () => Promise<unknown>): () => Promise<unknown> {
  let done: Promise<unknown> | undefined
  return () => (done ??= work())
}
