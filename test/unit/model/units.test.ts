import { describe, expect, test } from 'vitest'
import { duration, formatBytes, formatDuration, size } from '../../../src/model/units.ts'

describe('a duration', () => {
  test.each([
    ['500ms', 500],
    ['30s', 30_000],
    ['1.5m', 90_000],
    ['2 h', 7_200_000],
    ['1d', 86_400_000],
    ['2w', 1_209_600_000],
    ['0s', 0],
  ])('%s is %i ms', (text, ms) => expect(duration.parse(text)).toBe(ms))

  test.each(['', '30', 's', '-1s', '1y', '1e3s', '5S', '99999999999999999w'])('is not %j', (text) =>
    expect(duration.safeParse(text).error?.issues[0]?.message).toMatch(/^expected a duration such as/),
  )

  test.each([
    [83.4, '83 ms'],
    [999.6, '1.0 s'],
    [4200, '4.2 s'],
    [59_990, '1 min 0 s'],
    [190_000, '3 min 10 s'],
    [119_900, '2 min 0 s'],
  ])('of %d ms is told as %s', (ms, text) => expect(formatDuration(ms)).toBe(text))
})

describe('a size', () => {
  test.each([
    ['1B', 1],
    ['100MB', 100_000_000],
    ['1GiB', 2 ** 30],
    ['1.5KiB', 1536],
  ])('%s is %i bytes', (text, bytes) => expect(size.parse(text)).toBe(bytes))

  test.each(['10', '10mb', '-1B', '1PB'])('is not %j', (text) => expect(size.safeParse(text).success).toBe(false))

  test.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 KB'],
    [118_200_000, '118.2 MB'],
    [2_000_000_000, '2.0 GB'],
  ])('of %i bytes is told as %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text))
})
