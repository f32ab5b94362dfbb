// Bodies of requests on a real connection, for routes that take them.
import { connect, type AddressInfo, type Socket } from 'node:net'
import { fastify, type FastifyInstance } from 'fastify'
import { afterEach, beforeEach, describe, expect, it, test, vi } from 'vitest'
import { addProblems } from '../../../src/server/app.ts'
import { bodyBudget, boundBodies, sharedBudget, type Budget } from '../../../src/server/bodies.ts'
import { trackConnections } from '../../../src/server/connections.ts'
import { prepared } from '../../../src/server/http-server.ts'
import { createPlaces } from '../../../src/server/places.ts'
import { aloneCrowd } from '../../../src/server/threads/crowd.ts'
import { createSharedMemory, openShared } from '../../../src/server/threads/shared.ts'

const nobody = () => undefined
const most = 100_000
let app: FastifyInstance
let budget: Budget
let pieces: number
let held: (() => void)[]

beforeEach(async () => {
  budget = sharedBudget(openShared(createSharedMemory(1)), 250_000)
  pieces = 0
  held = []
  app = fastify({ bodyLimit: most })
  const places = createPlaces({ most: 100, reserved: 0, crowd: aloneCrowd(), onGivenUp: nobody, onRefused: nobody })
  trackConnections([prepared(app.server)], { places, stalledMs: 60_000, onRequestEnd: nobody })
  boundBodies(app, budget)
  addProblems(app, { error: nobody })
  app.post('/length', (request, reply) => reply.send(String((request.body as Buffer).length)))
  app.post(
    '/hold',
    (_request, reply) =>
      new Promise<void>((resolve) => {
        held.push(() => {
          reply.send('held')
          resolve()
        })
      }),
  )
  app.addContentTypeParser('x/pieces', async (_request: unknown, payload: AsyncIterable<Buffer>) => {
    let length = 0
    for await (const piece of payload) {
      pieces += 1
      length += piece.length
    }
    return Buffer.alloc(length)
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
})
afterEach(async () => {
  app.server.closeAllConnections()
  await app.close()
})

interface Client {
  readonly socket: Socket
  readonly text: () => string
  readonly ended: Promise<void>
}

async function dial(sent: string): Promise<Client> {
  const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1')
  let text = ''
  socket.on('data', (chunk) => (text += chunk.toString()))
  socket.on('error', nobody)
  const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  await new Promise<void>((resolve) => socket.once('connect', resolve))
  socket.write(sent)
  return { socket, text: () => text, ended }
}

const head = (length: number, more = '', path = '/length'): string =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n${more}\r\n`
const chunked = (more = ''): string => `POST /length HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n${more}\r\n`
const got = (client: Client, part: string | RegExp): Promise<void> =>
  vi.waitFor(() => expect(client.text()).toMatch(part), { timeout: 10_000 })

describe('the budget', () => {
  it('is taken by what has come of unfinished bodies, and who does not fit is told to try again', async () => {
    const unfinished = [await dial(head(most) + 'x'.repeat(most - 1)), await dial(head(most) + 'x'.repeat(most - 1))]
    await vi.waitFor(() => expect(budget.free()).toBe(250_000 - 2 * (most - 1)))
    const refused = await dial(head(60_000))
    await refused.ended
    expect(refused.text()).toMatch(/^HTTP\/1\.1 503 /)
    expect(refused.text().toLowerCase()).toMatch(/\r\nretry-after: 1\r\n/)
    expect(refused.text()).toContain('too many bodies are being received: try again')
    // One that does not say how long it is comes as far as there is room.
    const late = await dial(chunked() + `ea60\r\n${'x'.repeat(60_000)}\r\n`)
    await late.ended
    expect(late.text()).toMatch(/^HTTP\/1\.1 503 /)
    const small = await dial(head(5) + 'abcde')
    await got(small, /\r\n\r\n5$/)
    unfinished[0]?.socket.write('x')
    await got(unfinished[0] as Client, new RegExp(`\r\n\r\n${most}$`))
    unfinished[1]?.socket.destroy()
    await vi.waitFor(() => expect(budget.free()).toBe(250_000))
  })

  it('is taken until the answer has been sent', async () => {
    const client = await dial(head(50_000, '', '/hold') + 'x'.repeat(50_000))
    await vi.waitFor(() => expect(held).toHaveLength(1))
    expect(budget.free()).toBe(200_000)
    held[0]?.()
    await got(client, /held$/)
    await vi.waitFor(() => expect(budget.free()).toBe(250_000))
  })

  it('counts small pieces with what they are put together in, and hands few on', async () => {
    const client = await dial(chunked('Content-Type: x/pieces\r\n') + '1\r\nx\r\n'.repeat(50_000) + '0\r\n\r\n')
    await got(client, /\r\n\r\n50000$/)
    expect(pieces).toBeLessThan(10)
  })
})

describe('the length', () => {
  it('is refused when it is announced, and as it comes where it is not', async () => {
    const announced = await dial(head(most + 1))
    await announced.ended
    expect(announced.text()).toMatch(/^HTTP\/1\.1 413 /)
    const client = await dial(chunked() + `186a0\r\n${'x'.repeat(most)}\r\n`)
    await vi.waitFor(() => expect(budget.free()).toBeLessThanOrEqual(250_000 - most))
    expect(client.text()).toBe('')
    client.socket.write('1\r\nx\r\n')
    await got(client, /^HTTP\/1\.1 413 /)
    await client.ended
    expect(budget.free()).toBe(250_000)
  })

  it('is asked for only where it fits', async () => {
    const expecting = 'Expect: 100-continue\r\n'
    const tooLong = await dial(head(most + 1, expecting))
    await tooLong.ended
    expect(tooLong.text()).toMatch(/^HTTP\/1\.1 413 /)
    const unknown = await dial(head(5, expecting, '/x'))
    await unknown.ended
    expect(unknown.text()).toMatch(/^HTTP\/1\.1 404 /)
    const good = await dial(head(5, expecting))
    await got(good, /^HTTP\/1\.1 100 Continue\r\n\r\n$/)
    good.socket.write('abcde')
    await got(good, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n[^]*\r\n\r\n5$/)
    good.socket.destroy()
  })
})

test('all bodies get an eighth of the memory, and at least one fits', () => {
  expect(bodyBudget(8e9, 10e6)).toBe(1e9)
  expect(bodyBudget(64e6, 10e6)).toBe(10e6)
})
