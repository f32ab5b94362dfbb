import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatBinary, scaleFor, threadsFor } from '../../../src/model/scale.ts'

const GiB = 2 ** 30
const KiB = 2 ** 10
const figures = (cores: number, memoryBytes: number): number[] => {
  const { workerThreads, maxConnections, connectionPoolSize, bufferSize } = scaleFor({ cores, memoryBytes })
  return [workerThreads.value, maxConnections.value, connectionPoolSize.value, bufferSize.value]
}

describe('the scale of a server', () => {
  test.each<[number, number, number[]]>([
    [16, 32 * GiB, [32, 10_000, 1000, 1_048_576]],
    [2, 2 * GiB, [4, 1000, 100, 1_048_576]],
    [1, GiB, [4, 1000, 100, 512 * KiB]],
    [4, 8 * GiB, [8, 2200, 220, 1_048_576]],
    [16, 4 * GiB, [32, 10_000, 1000, 128 * KiB]],
    [16, GiB, [32, 8100, 810, 64 * KiB]],
    [64, 256 * GiB, [64, 20_200, 2020, 1_048_576]],
    [1, GiB / 16, [4, 500, 50, 64 * KiB]],
    [1, 1_000_000, [4, 7, 1, 64 * KiB]],
  ])('for %i cores and %i bytes is %j', (cores, memory, expected) => {
    expect(figures(cores, memory)).toEqual(expected)
  })

  test('keeps the buffers of all connections within half of memory, whatever the size, and explains each value', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 512 }),
        fc.integer({ min: 64 * 2 ** 20, max: 2 ** 42 }),
        (cores, memoryBytes) => {
          const scale = scaleFor({ cores, memoryBytes })
          const { maxConnections, bufferSize } = scale
          expect(maxConnections.value * bufferSize.value).toBeLessThanOrEqual(memoryBytes / 2)
          expect(maxConnections.value).toBeGreaterThan(0)
          expect(Math.log2(bufferSize.value) % 1).toBe(0)
          for (const { reason } of Object.values(scale) as { reason: string }[]) expect(reason).not.toBe('')
        },
      ),
    )
  })

  test('has twice the cores as threads, from 4 to 64', () => {
    expect([1, 2, 3, 31, 32, 33, 500].map(threadsFor)).toEqual([4, 4, 6, 62, 64, 64, 64])
  })
})

test.each([
  [65_536, '64 KiB'],
  [2 ** 20, '1 MiB'],
  [1.5 * GiB, '1.5 GiB'],
])('%i bytes read %s', (bytes, text) => {
  expect(formatBinary(bytes)).toBe(text)
})
