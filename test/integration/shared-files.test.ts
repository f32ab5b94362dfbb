import { createHash, randomBytes } from 'node:crypto'
import { appendFile, mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SharedFiles, type Opener, type SharedFile } from '../../src/system/shared-files.ts'

const mebibyte = 1024 * 1024
const content = randomBytes(40 * mebibyte + 5)
let folder: string
let path: string
let disk: number
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netops-shared-'))
  path = join(folder, 'file')
  await writeFile(path, content)
  disk = 0
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** Counts what is read from the disk. */
const counting: Opener = async (name) => {
  const handle = await open(name, 'r')
  return {
    stat: (options) => handle.stat(options),
    close: () => handle.close(),
    async read(...where) {
      const { bytesRead } = await handle.read(...where)
      disk += bytesRead
      return { bytesRead }
    },
  }
}

const everything = [{ offset: 0, length: content.length }]
async function all(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const list: Uint8Array[] = []
  for await (const piece of pieces) list.push(piece)
  return Buffer.concat(list)
}
const opened = async (count: number, files = new SharedFiles(counting)): Promise<readonly SharedFile[]> =>
  Promise.all(Array.from({ length: count }, () => files.open(path)))
const closeAll = (readers: readonly SharedFile[]) => Promise.all(readers.map((reader) => reader.close()))

describe('a file that many read at once', () => {
  test('is read once, compressed or not', async () => {
    const readers = await opened(6)
    const hashes = await Promise.all(
      readers.map(async (reader) => {
        const hash = createHash('sha256')
        for await (const piece of reader.read(everything)) hash.update(piece)
        return hash.digest('hex')
      }),
    )
    expect(new Set(hashes)).toEqual(new Set([createHash('sha256').update(content).digest('hex')]))
    expect(disk).toBe(content.length)
    const stretch = [{ offset: 3, length: 5 * mebibyte }]
    const zipped = await Promise.all(readers.map((reader) => all(reader.readZipped(stretch))))
    for (const bytes of zipped) expect(gunzipSync(bytes).equals(content.subarray(3, 5 * mebibyte + 3))).toBe(true)
    expect(disk).toBe(content.length + 6 * mebibyte)
    await closeAll(readers)
  })

  test('gives its stretches, whatever lies between them', async () => {
    const [reader] = await opened(1)
    const stretches = [
      { offset: 39 * mebibyte - 1, length: mebibyte + 6 },
      { offset: 7, length: 0 },
      { offset: 10, length: 20 },
    ]
    const expected = Buffer.concat(stretches.map(({ offset, length }) => content.subarray(offset, offset + length)))
    expect(reader && (await all(reader.read(stretches))).equals(expected)).toBe(true)
    expect(reader && gunzipSync(await all(reader.readZipped(stretches))).equals(expected)).toBe(true)
    await reader?.close()
  })

  test('is held in part only: who is far behind reads for itself', async () => {
    const [quick, slow] = await opened(2)
    const behind = slow?.read(everything)
    await behind?.next()
    for await (const piece of quick?.read(everything) ?? []) expect(piece.length).toBeGreaterThan(0)
    const before = disk
    if (slow !== undefined) await all(slow.read([{ offset: 10 * mebibyte, length: 30 * mebibyte }]))
    expect(disk).toBe(before)
    for await (const piece of behind ?? []) expect(piece.length).toBeGreaterThan(0)
    expect(disk).toBeGreaterThan(before)
    await closeAll([quick, slow].filter((reader) => reader !== undefined))
  })

  test('is not held when its last reader has gone', async () => {
    const files = new SharedFiles(counting)
    for (const times of [1, 2]) {
      const readers = await opened(1, files)
      await Promise.all(readers.map((reader) => all(reader.read([{ offset: 0, length: 100 }]))))
      await closeAll(readers)
      expect(disk).toBe(times * mebibyte)
    }
  })

  test('fails as damaged when it was changed, or is shorter than was thought', async () => {
    const [reader] = await opened(1)
    await expect(reader && all(reader.read([{ offset: 0, length: content.length + 1 }]))).rejects.toMatchObject({
      code: 'damaged',
    })
    await appendFile(path, 'more')
    await expect(reader && all(reader.read([{ offset: 2 * mebibyte, length: 1 }]))).rejects.toMatchObject({
      code: 'damaged',
    })
    await reader?.close()
  })

  test('fails with its name when it cannot be read', async () => {
    await expect(new SharedFiles().open(join(folder, 'none'))).rejects.toThrow(/cannot read .*none: ENOENT/)
    const reader = await new SharedFiles().open(folder)
    await expect(all(reader.read([{ offset: 0, length: 1 }]))).rejects.toThrow(/cannot read .*EISDIR/)
    await reader.close()
  })
})
