import { expect, test } from 'vitest'
import { progressText } from '../../../../../src/cli/present/progress/amount.ts'

const begun = Date.parse('2026-01-02T03:04:05.000Z')
const text = (done: number, of: number, { unit, afterMs = 5000 }: { unit?: 'bytes'; afterMs?: number } = {}) =>
  progressText(
    { title: 'Archive', begun },
    {
      ...{ netops: 1, seq: 1, at: new Date(begun + afterMs).toISOString(), type: 'progress', step: 's', done, of },
      ...(unit === undefined ? {} : { unit }),
    },
  )

test('things are counted', () => {
  expect(text(3, 10)).toBe('Archive (3 of 10)')
})

test('bytes are told with how many a second, and how long it takes yet', () => {
  expect(text(400_000_000, 1_200_000_000, { unit: 'bytes' })).toBe(
    'Archive (400.0 MB of 1.2 GB, 80.0 MB a second, 10.0 s left)',
  )
})

test('before there is a rate none is told', () => {
  expect(text(1_000_000, 2_000_000, { unit: 'bytes', afterMs: 300 })).toBe('Archive (1.0 MB of 2.0 MB)')
  expect(text(0, 2_000_000, { unit: 'bytes' })).toBe('Archive (0 B of 2.0 MB)')
})
