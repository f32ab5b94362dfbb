import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { blockHash, blockSize, hashBlocks, type Blocks } from '../../../src/system/blocks.ts'
import { dataIn, matchBlocks } from '../../../src/system/delta.ts'
import { sha256OfText } from '../../../src/system/files.ts'

/** Whole blocks, each named by a letter; `tail` bytes of the last one. */
const blocks = (letters: string, tail = blockSize): Blocks => ({
  size: letters === '' ? 0 : (letters.length - 1) * blockSize + tail,
  hashes: Array.from(letters),
})
const data = (block: number, count: number) => ({
  kind: 'data',
  offset: block * blockSize,
  length: count * blockSize,
})
const copy = (base: number, block: number, count: number) => ({
  ...{ kind: 'copy', base },
  ...{ offset: block * blockSize, length: count * blockSize },
})

describe('what is left to be sent', () => {
  test.each([
    ['is nothing of the same file', 'abcd', ['abcd'], [copy(0, 0, 4)]],
    ['is all where there is no base', 'abcd', [], [data(0, 4)]],
    ['is all where nothing is alike', 'abcd', ['efgh', ''], [data(0, 4)]],
    ['is one block of a file with one changed', 'abXd', ['abcd'], [copy(0, 0, 2), data(2, 1), copy(0, 3, 1)]],
    ['is what was put in front of shifted blocks', 'XYabcd', ['abcd'], [data(0, 2), copy(0, 0, 4)]],
    ['is nothing of what two bases have', 'abXYcd', ['abcd', 'XY'], [copy(0, 0, 2), copy(1, 0, 2), copy(0, 2, 2)]],
    ['is nothing of a block that comes again and again', 'aaaa', ['a'], Array.from({ length: 4 }, () => copy(0, 0, 1))],
    ['keeps a run whole over blocks that are everywhere', '0a00b0', ['0a00b0'], [copy(0, 0, 6)]],
    ['is nothing of an empty file', '', ['abc'], []],
  ])('%s', (_, wanted, bases, runs) => {
    expect(
      matchBlocks(
        blocks(wanted),
        bases.map((base) => blocks(base)),
      ),
    ).toEqual(runs)
  })

  test('counts the last block by its own length', () => {
    expect(matchBlocks(blocks('abc', 7), [blocks('abc', 7)])).toEqual([
      { kind: 'copy', base: 0, offset: 0, length: 2 * blockSize + 7 },
    ])
    const runs = matchBlocks(blocks('abX', 7), [blocks('abc', 7)])
    expect(runs).toEqual([copy(0, 0, 2), { kind: 'data', offset: 2 * blockSize, length: 7 }])
    expect(dataIn(runs)).toBe(7)
  })

  test('and what is copied make the file, whatever it is and whatever the bases are', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '0'), maxLength: 30 })
    fc.assert(
      fc.property(letters, fc.array(letters, { maxLength: 3 }), (wanted, bases) => {
        const made = matchBlocks(
          blocks(wanted),
          bases.map((base) => blocks(base)),
        ).map((run) => {
          const [from, to] = [run.offset / blockSize, (run.offset + run.length) / blockSize]
          return (run.kind === 'data' ? wanted : (bases[run.base] ?? '')).slice(from, to)
        })
        expect(made.join('')).toBe(wanted)
      }),
    )
  })
})

describe('the blocks of a file', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'netops-blocks-'))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  test.each([0, 1, blockSize - 1, blockSize, blockSize + 1, 16 * blockSize, 16 * blockSize + 1, 40 * blockSize + 5])(
    'of %i bytes are hashed each by itself',
    async (size) => {
      const text = Array.from({ length: size }, (_, index) => 'abcdefg'[(index + (index >> 16)) % 7]).join('')
      await writeFile(join(folder, 'file'), text)
      const hashes: string[] = []
      for await (const hash of hashBlocks(join(folder, 'file'))) hashes.push(hash)
      const expected = Array.from({ length: Math.ceil(size / blockSize) }, (_, index) =>
        blockHash(sha256OfText(text.slice(index * blockSize, (index + 1) * blockSize))),
      )
      expect(hashes).toEqual(expected)
    },
  )
})
