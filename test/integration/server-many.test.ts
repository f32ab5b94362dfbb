// Many at once, and for long: thousands of connections that say nothing, and load that goes on, cost what they should and
// no more.
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import type { ChildProcess } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { threadsFor } from '../../src/model/scale.ts'
import { readMemory } from '../../src/server/checks.ts'
import { heapLimitOf } from '../../src/server/threads/heap.ts'
import { ask, dial, eventually, here, metric, startReady, useServers } from '../support/server-process.ts'

useServers()

const long = process.env.NETOPS_ENDURANCE === '1'

// proc(5): Max open files, soft and hard; Node raises its own to the hard one.
const mostFiles = Number(/^Max open files\s+\S+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1])
const wanted = Math.min(10_000, mostFiles - 1000)
const dialledAtOnce = 250

/** Resident memory now, in bytes (proc(5): VmRSS). */
const residentOf = ({ pid = 0 }: ChildProcess): number =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024

describe('idle connections', () => {
  it(`${wanted} of them are held, in 30 kB each at most, and others are answered meanwhile`, async () => {
    const server = await startReady({ env: { NETWORK_SERVER_MAX_CONNECTIONS: String(wanted + 100) } })
    const before = residentOf(server.child)
    const wires = []
    while (wires.length < wanted) {
      const some = Math.min(dialledAtOnce, wanted - wires.length)
      wires.push(...(await Promise.all(Array.from({ length: some }, () => dial()))))
    }
    await eventually(async () => expect(await metric('network_connections_active')).toBe(wanted))
    for (let count = 0; count < 20; count += 1) expect((await ask('/v1/records/c')).status).toBe(200)
    expect((residentOf(server.child) - before) / wanted).toBeLessThan(30_000)
    // Each of them is still good for a request.
    const [first, last] = [wires[0], wires.at(-1)]
    for (const wire of [first, last]) wire?.socket.write('GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n')
    await eventually(() => {
      for (const wire of [first, last]) expect(wire?.received()).toContain('HTTP/1.1 200 OK')
    })
    for (const { socket } of wires) socket.destroy()
    await eventually(async () => expect(await metric('network_connections_active')).toBe(0))
  })
})

const clients = 32

/** What clients of records do: write, read, list, miss and delete. */
const turnOf = (client: number, turn: number): readonly [method: string, path: string] => {
  const key = `/v1/records/steady/${client}-${turn % 100}`
  const none = `/v1/records/steady/none-${turn % 10}`
  const turns = [
    ['PUT', key],
    ['GET', key],
    ['GET', `/v1/records/steady?prefix=${client}-&limit=20`],
    ['GET', none],
    ['DELETE', turn % 3 === 0 ? key : none],
  ] as const
  return turns[turn % turns.length] ?? turns[0]
}

interface Counts {
  answered: number
  wrong: number
}

/** Has all clients take their turns, one after the other, as long as there is to be one more. */
async function load(counts: Counts, more: (turn: number) => boolean): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: clients })
  const go = async (client: number): Promise<void> => {
    for (let turn = 0; more(turn); turn += 1) {
      const status = await send(agent, ...turnOf(client, turn))
      counts.answered += 1
      if (![200, 201, 204, 404].includes(status)) counts.wrong += 1
    }
  }
  await Promise.all(Array.from({ length: clients }, (_, client) => go(client)))
  agent.destroy()
}

// Of four threads, on a machine of any size; 200 MiB of it before the first request.
const mostMiB = 350
const mostRise = 1.1

const configOf = (threads: number | 'auto') =>
  [
    `server: { host: 127.0.0.1, port: ${here.ports.server}, worker_threads: ${threads} }`,
    `metrics: { port: ${here.ports.metrics} }`,
    'security: { auth: none }',
    'access_log: { max_size_mb: 20, max_files: 2 }',
    '',
  ].join('\n')

// Each of them is some ten kilobytes that V8 has to find room for.
const turns = 700

it('load does not have the heaps of four threads grow as far as the machine has memory', async () => {
  const server = await startReady({ config: configOf(4) })
  const counts = { answered: 0, wrong: 0 }
  await load(counts, (turn) => turn < turns)
  const early = residentOf(server.child)
  await load(counts, (turn) => turn < turns)
  const late = residentOf(server.child)
  expect(counts).toEqual({ answered: 2 * clients * turns, wrong: 0 })
  expect(late / 2 ** 20).toBeLessThan(mostMiB)
  expect(late / early).toBeLessThan(mostRise)
  const limit = heapLimitOf(readMemory().residentLimit)
  const text = (await ask('/metrics', here.ports.metrics)).body
  const limits = [...text.matchAll(/^network_heap_bytes\{thread="([^"]+)",kind="limit"\} (\d+)$/gm)]
  const threads = ['store', '0', '1', '2', '3']
  expect(Object.fromEntries(limits.map(([, thread, bytes]) => [thread, Number(bytes)]))).toMatchObject(
    Object.fromEntries(threads.map((thread) => [thread, limit])),
  )
})

const minutes = 10
const sampleMs = 5000

// Takes its time: for `npm run endurance`.
if (long) {
  it(
    `load for ${minutes} minutes leaves the memory of the service as it is`,
    async () => {
      const server = await startReady({ config: configOf('auto') })
      const end = performance.now() + minutes * 60_000
      const counts = { answered: 0, wrong: 0 }
      const going = load(counts, () => performance.now() < end)
      const samples: number[] = []
      while (performance.now() < end) {
        await sleep(sampleMs)
        samples.push(residentOf(server.child) / 2 ** 20)
      }
      await going
      const third = Math.floor(samples.length / 3)
      const median = (of: readonly number[]) => of.toSorted((a, b) => a - b)[Math.floor(of.length / 2)] ?? NaN
      const [middle, last] = [median(samples.slice(third, 2 * third)), median(samples.slice(-third))]
      console.log(
        `${counts.answered} answers in ${minutes} min, resident MiB: ${samples.map((one) => one.toFixed(0)).join(' ')}`,
      )
      expect(counts.wrong).toBe(0)
      expect(counts.answered).toBeGreaterThan(minutes * 60 * 100)
      expect(last / middle).toBeLessThan(mostRise)
      if (threadsFor(availableParallelism()) === 4) expect(Math.max(...samples)).toBeLessThan(mostMiB)
    },
    (minutes + 2) * 60_000,
  )
}

const send = (agent: Agent, method: string, path: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const body = method === 'PUT' ? JSON.stringify({ text: 'x'.repeat(500) }) : undefined
    const headers = body === undefined ? {} : { 'content-type': 'application/json' }
    const asked = request({ agent, method, path, headers, host: '127.0.0.1', port: here.ports.server }, (answer) => {
      answer.on('end', () => resolve(answer.statusCode ?? 0)).on('error', reject)
      answer.resume()
    })
    asked.on('error', reject)
    asked.end(body)
  })
