import { Worker } from 'node:worker_threads'
import { expect, it } from 'vitest'
import { heapLimitOf, heapLimitsFor } from '../../../../src/server/threads/heap.ts'

const MiB = 2 ** 20

it.each([
  [512 * MiB, 256],
  [2048 * MiB, 1024],
  [24 * 1024 * MiB, 2000],
])('of %d bytes of memory a thread may have half, and not more than it ever needs', (memory, old) => {
  expect(heapLimitsFor(memory)).toEqual({ maxYoungGenerationSizeMb: 12, maxOldGenerationSizeMb: old })
})

it('the limit that is told of a thread is the one that V8 has', async () => {
  const memory = 512 * MiB
  const code = `require('node:worker_threads').parentPort.postMessage(require('node:v8').getHeapStatistics().heap_size_limit)`
  const worker = new Worker(code, { eval: true, resourceLimits: { ...heapLimitsFor(memory) } })
  const told = await new Promise((resolve) => worker.once('message', resolve))
  expect(told).toBe(heapLimitOf(memory))
})
