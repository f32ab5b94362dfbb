import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  formatLsn,
  parseHistory,
  parseLsn,
  removableWal,
  segmentName,
  segmentOf,
  showGap,
  walFilesIn,
  walGaps,
  walReach,
} from '../../../src/model/wal.ts'

const bytes = 16 << 20
const name = (timeline: number, number: number): string => segmentName({ timeline, number }, bytes)

describe('a position of the log', () => {
  it('reads and writes as PostgreSQL does', () => {
    expect(parseLsn('16/B374D848')).toBe(0x16b374d848n)
    expect(formatLsn(0x16b374d848n)).toBe('16/B374D848')
    for (const text of ['', '16', '16/', '/1', 'x/1', '123456789/1', '1/2/3']) expect(parseLsn(text)).toBeUndefined()
  })
  it('is the same after a way there and back', () => {
    fc.assert(fc.property(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), (lsn) => parseLsn(formatLsn(lsn)) === lsn))
  })
})

describe('segments', () => {
  it('have the names of PostgreSQL, which carry over after 256 of 16 MB', () => {
    expect(name(1, 1)).toBe('000000010000000000000001')
    expect(name(1, 255)).toBe('0000000100000000000000FF')
    expect(name(0x1a, 256)).toBe('0000001A0000000100000000')
    expect(segmentOf(0x1_0000_0000n, bytes)).toBe(256)
  })
  it('are known again by their names, whatever their size is', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 0xffffffff }),
        fc.integer({ min: 0, max: 2 ** 34 - 1 }),
        fc.integer({ min: 20, max: 30 }),
        (timeline, number, power) => {
          const text = segmentName({ timeline, number }, 2 ** power)
          expect(walFilesIn([text], 2 ** power).whole).toEqual([{ timeline, number }])
        },
      ),
    )
  })
  it('are told from everything else that lies there', () => {
    const others = [
      'a',
      '.000000010000000000000001.netops-new',
      '0000000100000000000000FF.00000028.backup',
      '0000000100000000000001FF',
    ]
    const found = walFilesIn([...others, name(1, 2), `${name(1, 3)}.partial`, '00000002.history'], bytes)
    expect(found).toEqual({
      whole: [{ timeline: 1, number: 2 }],
      partial: [{ timeline: 1, number: 3 }],
      histories: [2],
    })
  })
})

describe('gaps', () => {
  const gapsOf = (...names: readonly string[]) => walGaps(walFilesIn(names, bytes)).map((gap) => showGap(gap, bytes))
  it.each([
    ['none in a row that ends in one that is received', [name(1, 1), name(1, 2), `${name(1, 3)}.partial`], []],
    ['one segment', [name(1, 1), name(1, 3)], ['000000010000000000000002']],
    ['several', [name(1, 255), name(1, 259)], ['000000010000000100000000 to 000000010000000100000002 (3 segments)']],
    [
      'none where a timeline begins in the segment in which the last one ended',
      [name(1, 4), `${name(1, 5)}.partial`, name(2, 5)],
      [],
    ],
    ['one between two timelines', [name(1, 4), name(2, 6)], ['000000020000000000000005']],
  ])('%s', (_, names, gaps) => {
    expect(gapsOf(...names)).toEqual(gaps)
  })
  it('are exactly the segments that were taken out of a row, but for its ends', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { minLength: 2 }), (numbers) => {
        const found = walGaps(
          walFilesIn(
            numbers.map((number) => name(1, number)),
            bytes,
          ),
        )
        const missing = found.flatMap(({ from, to }) => Array.from({ length: to - from + 1 }, (_, at) => from + at))
        const all = Array.from(
          { length: Math.max(...numbers) - Math.min(...numbers) + 1 },
          (_, at) => Math.min(...numbers) + at,
        )
        expect(missing).toEqual(all.filter((number) => !numbers.includes(number)))
      }),
    )
  })
})

describe('what can be replayed', () => {
  const reach = (names: readonly string[], histories: readonly (readonly [number, string])[] = []) =>
    walReach(
      walFilesIn(names, bytes),
      new Map(histories.map(([timeline, text]) => [timeline, parseHistory(text) ?? []])),
      { timeline: 1, lsn: 0x2000028n, segmentBytes: bytes },
    )
  const shown = ({ pieces }: ReturnType<typeof reach>) =>
    pieces.map((piece) => `${segmentName(piece, bytes)}${piece.isPartial ? '.partial' : ''}`)

  it('ends with the segment that is being received', () => {
    const found = reach([name(1, 1), name(1, 2), name(1, 3), `${name(1, 4)}.partial`])
    expect(shown(found)).toEqual([name(1, 2), name(1, 3), `${name(1, 4)}.partial`])
    expect(found.missing).toBeUndefined()
  })
  it('ends before a gap, which is named', () => {
    const found = reach([name(1, 2), name(1, 4)])
    expect(shown(found)).toEqual([name(1, 2)])
    expect(found.missing).toEqual({ timeline: 1, number: 3 })
  })
  it('is nothing where the first segment is missing', () => {
    expect(reach([name(1, 3)])).toMatchObject({ pieces: [], missing: { timeline: 1, number: 2 } })
  })
  it('follows the newest timeline that comes from there, from the segment in which it began', () => {
    const names = [name(1, 2), name(1, 3), name(1, 4), name(2, 3), name(2, 4), `${name(2, 5)}.partial`]
    const found = reach(names, [[2, '1\t0/3000100\tno recovery target specified\n']])
    expect(found.timeline).toBe(2)
    expect(shown(found)).toEqual([name(1, 2), name(2, 3), name(2, 4), `${name(2, 5)}.partial`])
  })
  it('passes over a timeline that branched off before', () => {
    const found = reach([name(1, 2), name(1, 3), name(2, 1), name(2, 2)], [[2, '1\t0/1000100\tbefore\n']])
    expect(found.timeline).toBe(1)
    expect(shown(found)).toEqual([name(1, 2), name(1, 3)])
  })
  it('does not trust a history that is none', () => {
    expect(parseHistory('1\tnonsense\tx')).toBeUndefined()
    expect(parseHistory('# a comment\n\n1\t0/3000000\tx\n')).toEqual([{ from: 1, at: 0x3000000n }])
  })
})

describe('what is not needed any more', () => {
  it('comes before the position on its own timeline or an earlier one', () => {
    const names = [
      name(1, 1),
      name(1, 2),
      name(2, 2),
      name(2, 3),
      name(3, 1),
      '00000002.history',
      `${name(1, 1)}.partial`,
    ]
    expect(removableWal(names, { timeline: 2, lsn: 0x3000028n }, bytes)).toEqual([
      name(1, 1),
      `${name(1, 1)}.partial`,
      name(1, 2),
      name(2, 2),
    ])
  })
  it('is never a segment from that position on', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(40)), fc.nat(40), (numbers, first) => {
        const removed = removableWal(
          numbers.map((number) => name(1, number)),
          { timeline: 1, lsn: BigInt(first) * BigInt(bytes) + 40n },
          bytes,
        )
        expect(removed).toEqual(
          numbers
            .filter((number) => number < first)
            .sort((a, b) => a - b)
            .map((number) => name(1, number)),
        )
      }),
    )
  })
})
