// Pushes that send only what the host lacks: over a real sshd, with netops on the host and with nothing but coreutils.
import { randomBytes } from 'node:crypto'
import { chmod, link, mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest'
import type { HostConnection } from '../../src/drivers/hosts/port.ts'
import { pushFile, type PushEffect } from '../../src/drivers/hosts/push.ts'
import { connectSsh } from '../../src/drivers/hosts/ssh.ts'
import { blockSize } from '../../src/system/blocks.ts'
import { sha256OfFile } from '../../src/system/files.ts'
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

const blocks = (count: number): Buffer => randomBytes(count * blockSize)
const old = Buffer.concat([blocks(64), randomBytes(1000)])

describe.each(['netops', 'coreutils'] as const)('a push to a host with %s', (tool) => {
  let site: string
  let told: string[]
  const at = (...names: readonly string[]): string => join(site, ...names)
  beforeEach(async () => {
    site = await mkdtemp(join(folder, 'a site with blanks '))
    told = []
    await mkdir(at('incoming'))
    await mkdir(at('netops', 'abc'), { recursive: true })
    if (tool === 'netops') await link(inject('builds').netops, at('netops', 'abc', 'netops'))
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
      before(tool, () => writeFile(base, changed(30))),
    )
    expect(bytes).toBeGreaterThan(old.length)
    expect(told).toEqual([expect.stringContaining('is sent whole')])
  })

  test('sends all after a base became shorter, or was removed', async () => {
    const base = await release(old)
    await push(
      changed(7),
      before(tool, () => truncate(base, blockSize)),
    )
    await release(old)
    await push(
      changed(7),
      before(tool, () => rm(base)),
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
    await writeFile(at('incoming', '.network_server.netops-new-r1'), old.subarray(0, 100_000))
    await mkdir(at('incoming', '.network_server.netops-new-r1.blocks'))
    await writeFile(at('incoming', '.network_server.netops-new-r1.blocks', 'zz'), 'stale')
    const bytes = await pushFile(host, await effectFor(changed(7)), (line) => told.push(line))
    expect(bytes.bytes).toBeLessThan(2 * blockSize)
    expect(await sha256OfFile(at('incoming', 'network_server'))).toBe(await sha256OfFile(at('source')))
  })

  test('throws when the host is lost on the way', async () => {
    await release(old)
    const own = await connectSsh(sshd.target)
    const cut = before(tool, () => own.close(), own)
    await expect(pushFile(cut, await effectFor(changed(7)), (line) => told.push(line))).rejects.toMatchObject({
      code: 'unreachable',
    })
    expect(told).toEqual([])
  })

  if (tool === 'coreutils') {
    test('goes on by coreutils where a netops knows nothing of blocks', async () => {
      await release(old)
      await writeFile(at('netops', 'abc', 'netops'), '#!/bin/sh\nexit 2\n')
      await chmod(at('netops', 'abc', 'netops'), 0o755)
      expect(await push(changed(7))).toBeLessThan(2 * blockSize)
    })

    test('sends all where too many runs would make the command too long', async () => {
      const many = blocks(600)
      await release(many)
      const mixed = Buffer.from(many)
      for (let block = 0; block < 600; block += 4) blocks(1).copy(mixed, block * blockSize)
      expect(await push(mixed)).toBe(mixed.length)
    })
  }
})

/** The host, to which something happens just before a file is put together there. */
function before(tool: 'netops' | 'coreutils', happens: () => Promise<unknown>, over = host): HostConnection {
  return {
    name: over.name,
    open: (to) => over.open(to),
    close: () => over.close(),
    async run(argv, options) {
      const puts = tool === 'netops' ? argv[2] === 'assemble' : argv[2]?.includes('exec > "$0"') === true
      if (puts) await happens()
      return over.run(argv, options)
    },
  }
}
