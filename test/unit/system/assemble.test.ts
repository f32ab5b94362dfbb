import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { zstdCompressSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { assemble } from '../../../src/system/assemble.ts'
import type { Run } from '../../../src/system/delta.ts'
import { framesOf, readFrames, writeDelta } from '../../../src/system/delta-stream.ts'
import { SharedFiles, type SharedFile } from '../../../src/system/shared-files.ts'

let folder: string
let file: SharedFile
const at = (name: string): string => join(folder, name)
const base = randomBytes(3_000_000)
const source = randomBytes(2_500_000)
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netops-assemble-'))
  await writeFile(at('base'), base)
  await writeFile(at('source'), source)
  await writeFile(at('new'), 'what was there before')
  file = await new SharedFiles().open(at('source'))
})
afterEach(() => file.close())
afterEach(() => rm(folder, { recursive: true, force: true }))

const runs: readonly Run[] = [
  { kind: 'copy', base: 0, offset: 1_000_000, length: 2_000_000 },
  { kind: 'data', offset: 100, length: 2_400_000 },
  { kind: 'copy', base: 0, offset: 0, length: 7 },
]
const whole = Buffer.concat([base.subarray(1_000_000), source.subarray(100, 2_400_100), base.subarray(0, 7)])

async function* pieces(bytes: Uint8Array, length: number): AsyncGenerator<Uint8Array> {
  for (let from = 0; from < bytes.length; from += length)
    yield await Promise.resolve(bytes.subarray(from, from + length))
}
const frame = (letter: string, content: Uint8Array = Buffer.alloc(0), length = content.length): Buffer => {
  const head = Buffer.alloc(5)
  head.write(letter, 'latin1')
  head.writeUInt32BE(length, 1)
  return Buffer.concat([head, content])
}
const header = (size: number, bases = [at('base')]): Buffer =>
  frame('H', Buffer.from(JSON.stringify({ delta: 1, size, bases })))
const copy = (number: number, offset: bigint, length: bigint): Buffer => {
  const place = Buffer.alloc(20)
  place.writeUInt32BE(number)
  place.writeBigUInt64BE(offset, 4)
  place.writeBigUInt64BE(length, 12)
  return frame('C', place)
}
const fromFrames = (...frames: readonly Buffer[]) =>
  assemble(at('new'), pieces(zstdCompressSync(Buffer.concat(frames)), 1000))

describe('a file is put together', () => {
  test.each(['well', 'hardly'] as const)('from a base and from what was sent, %s compressed', async (compression) => {
    await assemble(at('new'), writeDelta(file.read, runs, { size: whole.length, bases: [at('base')], compression }))
    expect((await readFile(at('new'))).equals(whole)).toBe(true)
  })

  test.each([1, 7, 1_000_000])('however the stream is cut, here in pieces of %i bytes', async (length) => {
    const few: readonly Run[] = [{ kind: 'data', offset: 0, length: 300 }, ...runs.slice(2)]
    const about = { delta: 1, size: 307, bases: [at('base')] } as const
    const sent = Buffer.concat(await all(framesOf(file.read, few, about)))
    const read = await all(readFrames(pieces(sent, length)))
    expect(read.map(({ kind }) => kind)).toEqual(['header', 'data', 'copy'])
    expect(read[2]).toEqual(few[1])
  })

  test('of no bytes at all', async () => {
    await assemble(at('new'), writeDelta(file.read, [], { size: 0, bases: [], compression: 'well' }))
    expect(await readFile(at('new'), 'utf8')).toBe('')
  })
})

async function all<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const entry of stream) list.push(entry)
  return list
}

describe('a stream is refused', () => {
  const end = frame('E')
  test.each([
    ['that names a base it did not bring', () => [header(10), copy(1, 0n, 10n), end], 'base 1 of 1'],
    ['that copies from beyond a base', () => [header(10), copy(0, 2_999_995n, 10n), end], 'has only 3000000 bytes'],
    ['that copies from beyond any file', () => [header(10), copy(0, 2n ** 63n, 10n), end], 'beyond any file'],
    ['with numbers that overflow', () => [header(10), copy(0, 2n ** 64n - 1n, 2n), end], 'beyond any file'],
    ['that copies more than it says', () => [header(10), copy(0, 0n, 11n), end], 'more than it says'],
    ['that sends more than it says', () => [header(2), frame('D', Buffer.alloc(3)), end], 'more than it says'],
    ['that makes less than it says', () => [header(10), copy(0, 0n, 9n), end], '9 bytes, not 10'],
    ['without its end', () => [header(9), copy(0, 0n, 9n)], 'ends too early'],
    ['cut within a frame', () => [header(9), copy(0, 0n, 9n).subarray(0, 12)], 'ends too early'],
    ['with something after its end', () => [header(9), copy(0, 0n, 9n), end, end], 'follows its end'],
    ['of nothing', () => [], 'ends too early'],
    ['without a header', () => [copy(0, 0n, 9n), end], 'header does not stand at its beginning'],
    ['with a second header', () => [header(9), header(90), end], 'header does not stand at its beginning'],
    ['whose header is no JSON', () => [frame('H', Buffer.from('{')), end], 'header cannot be read'],
    ['whose header has another version', () => [frame('H', Buffer.from('{"delta":2}')), end], 'header cannot be read'],
    ['of a negative size', () => [header(-1), end], 'header cannot be read'],
    ['with a frame that is too long', () => [header(9), frame('D', Buffer.alloc(1), 2 ** 32 - 1)], 'D of 4294967295'],
    ['with a copy that is too short', () => [header(9), frame('C', Buffer.alloc(19)), end], 'a copy of 19 bytes'],
    ['with a frame of an unknown kind', () => [header(9), frame('X'), end], 'kind "X"'],
  ])('%s', async (_, frames, message) => {
    const expected = { code: 'damaged', message: expect.stringContaining(message) as unknown }
    await expect(fromFrames(...frames())).rejects.toMatchObject(expected)
  })

  test.each([
    ['not compressed', () => header(1)],
    ['cut in its compression', () => zstdCompressSync(Buffer.concat([header(1), randomBytes(1000)])).subarray(0, 500)],
    ['of other bytes', () => randomBytes(10_000)],
  ])('that is %s', async (_, bytes) => {
    await expect(assemble(at('new'), pieces(bytes(), 1000))).rejects.toMatchObject({ code: 'damaged' })
  })

  test('when a base is gone, or the file to fill is not there or a link', async () => {
    await expect(fromFrames(header(1, [at('none')]), end)).rejects.toMatchObject({ code: 'failed' })
    await symlink(at('base'), at('link'))
    for (const name of ['none', 'link']) {
      await expect(assemble(at(name), pieces(header(0), 9))).rejects.toMatchObject({ code: 'failed' })
    }
    expect((await readFile(at('base'))).equals(base)).toBe(true)
  })

  test('by whoever sends it, when the file became shorter while it was read', async () => {
    await truncate(at('source'), 1000)
    await expect(all(framesOf(file.read, runs, { delta: 1, size: whole.length, bases: [] }))).rejects.toMatchObject({
      code: 'damaged',
    })
  })
})
