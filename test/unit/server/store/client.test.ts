import { MessageChannel } from 'node:worker_threads'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createStoreClient } from '../../../../src/server/store/client.ts'
import type { Store } from '../../../../src/server/store/port.ts'
import { createDesk } from '../../../../src/server/store/thread.ts'
import { memoryStore } from '../../../support/memory-store.ts'

afterEach(() => {
  vi.useRealTimers()
})

const connected = (store: Store, timeLimitMs: number) => {
  const { port1, port2 } = new MessageChannel()
  const desk = createDesk({ ...store, stats: () => ({}) })
  desk.serve(port1)
  return createStoreClient(port2, { timeLimitMs })
}

describe('the time limit of a request to the store', () => {
  const one = { collection: 'things', key: 'one' }

  it('is not over because the clock of the machine was set', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const client = connected(memoryStore(), 30_000)
    const asked = client.get(one)
    vi.setSystemTime(Date.now() + 3_600_000)
    expect(await asked).toBeUndefined()
    await client.close()
  })

  it('is over in time also where the clock was set back', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const client = connected({ ...memoryStore(), get: () => new Promise(() => undefined) }, 1)
    const asked = client.get(one)
    vi.setSystemTime(Date.now() - 3_600_000)
    await expect(asked).rejects.toThrow('the database did not answer in time')
    await client.close()
  })
})
