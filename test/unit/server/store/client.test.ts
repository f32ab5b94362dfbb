import { EventEmitter } from 'node:events'
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createStoreClient } from '../../../../src/server/store/client.ts'
import type { FromStore, Request } from '../../../../src/server/store/messages.ts'
import type { Store } from '../../../../src/server/store/port.ts'
import { createDesk } from '../../../../src/server/store/thread.ts'
import { memoryStore } from '../../../support/memory-store.ts'
import { eventually } from '../../../support/server-process.ts'

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

it('reads a few records a turn, and hands them over before it reads more: they may be large', async () => {
  let [read, held, mostHeld] = [0, 0, 0]
  const get = () => {
    read += 1
    held += 1
    mostHeld = Math.max(mostHeld, held)
    return Promise.resolve(undefined)
  }
  const answered: number[] = []
  const postMessage = (answers: FromStore) => {
    held -= answers.length
    answered.push(...answers.map(({ id }) => id))
  }
  const port = Object.assign(new EventEmitter(), { postMessage })
  createDesk({ ...memoryStore(), get, stats: () => ({}) }).serve(port as unknown as MessagePort)
  const ids = Array.from({ length: 100 }, (_, id) => id)
  // Each in a message of its own, as many as are there take one turn.
  for (const id of ids) {
    const request: Request = { ask: 'get', of: { collection: 'things', key: 'one' }, id, until: Infinity }
    port.emit('message', [request])
  }
  expect(read).toBeLessThan(10)
  await eventually(() => expect(answered).toEqual(ids))
  expect(mostHeld).toBeLessThan(10)
})
