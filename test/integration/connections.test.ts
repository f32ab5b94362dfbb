// How a stop ends when clients do not: with short limits, on a bare HTTP server.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import { connect, type AddressInfo, type Server as NetServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectOverTls, type TLSSocket } from 'node:tls'
import { afterAll, afterEach, beforeEach, describe, expect, it, onTestFinished, test, vi } from 'vitest'
import { trackConnections, type Connections } from '../../src/server/connections.ts'
import { prepared } from '../../src/server/http-server.ts'
import { createPlaces } from '../../src/server/places.ts'
import { makeCertificate } from '../support/certificates.ts'
import { aloneCrowd } from '../../src/server/threads/crowd.ts'

const nobody = () => undefined
const placesFor = (most: number) =>
  createPlaces({ most, reserved: 0, crowd: aloneCrowd(), onGivenUp: nobody, onRefused: nobody })

let server: Server
let connections: Connections
const ended: number[] = []

beforeEach(async () => {
  ended.length = 0
  server = createServer((request, response) => {
    request.on('end', () => response.end('ok'))
    request.resume()
  })
  connections = trackConnections([server], {
    places: placesFor(10),
    stalledMs: 60_000,
    onRequestEnd: ({ seconds }) => ended.push(seconds),
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
afterEach(() => server.closeAllConnections())

const dial = async (text: string, to: NetServer = server): Promise<Socket> => {
  const socket = connect((to.address() as AddressInfo).port, '127.0.0.1')
  socket.on('error', () => undefined) // a cut connection is what some of these tests are about
  await new Promise<void>((resolve) => socket.once('connect', resolve))
  socket.write(text)
  return socket
}
const closed = (socket: Socket): Promise<void> => new Promise((resolve) => socket.once('close', () => resolve()))
const unfinished = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc'

describe('draining', () => {
  it('is over at once without connections', async () => {
    expect(await connections.drain({ lingerMs: 60_000, drainMs: 60_000 })).toBe(0)
  })

  it('cuts requests off that outlast their time, and counts them', async () => {
    const socket = await dial(unfinished)
    await vi.waitFor(() => expect(connections.requestsInFlight()).toBe(1))
    const end = closed(socket)
    expect(await connections.drain({ lingerMs: 10, drainMs: 200 })).toBe(1)
    await end
    await vi.waitFor(() => expect(connections.active()).toBe(0))
    expect(ended).toHaveLength(1)
  })

  it('closes connections that never sent anything after the linger, not at the end of the time', async () => {
    const socket = await dial('')
    await vi.waitFor(() => expect(connections.active()).toBe(1))
    const end = closed(socket)
    expect(await connections.drain({ lingerMs: 20, drainMs: 60_000 })).toBe(0)
    await end
  })

  it('does not take a connection for idle on which a request has begun to arrive', async () => {
    const socket = await dial('GET / HTTP/1.1\r\nHo')
    await vi.waitFor(() => expect(connections.active()).toBe(1))
    let text = ''
    socket.on('data', (chunk) => (text += chunk.toString()))
    // Beyond the linger: what had arrived by then kept the connection.
    const end = closed(socket)
    const late = setTimeout(() => socket.write('st: x\r\n\r\n'), 300)
    expect(await connections.drain({ lingerMs: 100, drainMs: 60_000 })).toBe(0)
    await end
    clearTimeout(late)
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    expect(text).toContain('Connection: close\r\n')
  })
})

describe('requests that are sent before their turn', () => {
  const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`
  /** A server that answers with the address that was asked for, later. */
  async function late(ms = 20, credentials?: { readonly cert: Buffer; readonly key: Buffer }) {
    const order: string[] = []
    const answer = (request: IncomingMessage, response: ServerResponse) => {
      order.push(`begin ${request.url}`)
      setTimeout(() => {
        order.push(`end ${request.url}`)
        response.end(`answer to ${request.url}`)
      }, ms)
    }
    const to = prepared(credentials === undefined ? createServer(answer) : createTlsServer(credentials, answer))
    const tracked = trackConnections([to], { places: placesFor(10), stalledMs: 60_000, onRequestEnd: nobody })
    await new Promise<void>((resolve) => to.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => to.close().closeAllConnections())
    return { to, order, tracked }
  }
  /** All that comes until the connection ends. */
  const receive = async (socket: Socket): Promise<string> => {
    let text = ''
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
    await closed(socket)
    return text
  }

  it('are answered one after the other, also where the client has ended its side', async () => {
    const { to, order } = await late()
    const socket = await dial('', to)
    const all = receive(socket)
    socket.end(['/1', '/2', '/3'].map(get).join(''))
    expect((await all).match(/answer to ../g)).toEqual(['answer to /1', 'answer to /2', 'answer to /3'])
    expect(order).toEqual(['/1', '/2', '/3'].flatMap((path) => [`begin ${path}`, `end ${path}`]))
  })

  it('are answered before what follows them and is no request', async () => {
    const { to } = await late()
    const socket = await dial(`${get('/1')}${get('/2')}no request\r\n\r\n`, to)
    expect((await receive(socket)).match(/HTTP\/1.1 \d+|answer to ../g)).toEqual([
      ...['HTTP/1.1 200', 'answer to /1', 'HTTP/1.1 200', 'answer to /2', 'HTTP/1.1 400'],
    ])
  })

  it('are answered before one whose body is broken', async () => {
    const { to, order } = await late()
    const chunked = 'POST /2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n'
    const socket = await dial(`${get('/1')}${chunked}`, to)
    expect((await receive(socket)).match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 400'])
    expect(order).toEqual(['begin /1', 'end /1'])
  })

  it('come with the rest of their bodies', async () => {
    const { to } = await late()
    const socket = await dial(`${get('/1')}POST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n`, to)
    socket.write(Buffer.alloc(200_000, 'x'))
    socket.write(get('/3').replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'))
    expect((await receive(socket)).match(/answer to ../g)).toEqual(['answer to /1', 'answer to /2', 'answer to /3'])
  })

  it('are made of one read of one connection at most, and begun one at a time', async () => {
    const begun: string[] = []
    const silent = createServer((request) => void begun.push(request.url ?? ''))
    const tracked = trackConnections([silent], { places: placesFor(20), stalledMs: 60_000, onRequestEnd: nobody })
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      silent.close().closeAllConnections()
    })
    const sockets = await Promise.all(Array.from({ length: 12 }, () => dial('', silent)))
    await vi.waitFor(() => expect(tracked.active()).toBe(12))
    for (const socket of sockets) socket.write(get('/').repeat(2400))
    await vi.waitFor(() => expect(begun).toHaveLength(12), { timeout: 20_000 })
    // 64 KiB of them for the first connection, and the one that is begun for each of the others.
    expect(tracked.requestsInFlight()).toBeLessThanOrEqual(65_536 / get('/').length + 12)
    silent.closeAllConnections()
    await vi.waitFor(() => expect(tracked.requestsInFlight()).toBe(0))
  })

  it.each([100, 5000])('are all answered, however many: %i', async (count) => {
    const { to } = await late(0)
    const socket = await dial('', to)
    const all = receive(socket)
    // In pieces that end anywhere.
    const text = Array.from({ length: count }, (_, at) => get(`/${at}`)).join('')
    for (let at = 0; at < text.length; at += 10_007) socket.write(text.slice(at, at + 10_007))
    socket.end()
    const answered = [...(await all).matchAll(/answer to \/(\d+)/g)].map(([, at]) => Number(at))
    expect(answered).toEqual(Array.from({ length: count }, (_, at) => at))
  })

  it('are all answered over TLS', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'netops-connections-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const pair = makeCertificate(folder, 'server')
    const [cert, key] = [readFileSync(pair.cert), readFileSync(pair.key)]
    const { to } = await late(0, { cert, key })
    const socket = connectOverTls({ port: (to.address() as AddressInfo).port, host: '127.0.0.1', ca: cert })
    const all = receive(socket)
    // Whoever ends its side of a TLS connection ends both.
    const last = get('/2999').replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')
    socket.write(`${Array.from({ length: 2999 }, (_, at) => get(`/${at}`)).join('')}${last}`)
    const answered = [...(await all).matchAll(/answer to \/(\d+)/g)].map(([, at]) => Number(at))
    expect(answered).toEqual(Array.from({ length: 3000 }, (_, at) => at))
  })

  it('change nothing for others, be they there before or after, nor for the end of the service', async () => {
    const { to, tracked } = await late(0)
    const [early, busy] = [await dial('', to), await dial('', to)]
    const [first, many] = [receive(early), receive(busy)]
    early.write(get('/before'))
    busy.write(get('/many').repeat(3000))
    await new Promise((resolve) => setTimeout(resolve, 50))
    const part = get('/after')
    early.write(part.slice(0, 10))
    const next = await dial(get('/next'), to)
    const second = receive(next)
    const third = receive(await dial('GET /part HTTP/1.1\r\nHo', to))
    await vi.waitFor(() => expect(busy.bytesRead).toBeGreaterThan(100_000), { timeout: 20_000 })
    busy.destroy()
    await many
    // The rest comes after all that is idle was closed.
    setTimeout(() => early.write(part.slice(10)), 400)
    expect(await tracked.drain({ lingerMs: 100, drainMs: 1500 })).toBe(1)
    expect((await first).match(/answer to \/[a-z]+/g)).toEqual(['answer to /before', 'answer to /after'])
    expect((await second).match(/answer to \/[a-z]+/g)).toEqual(['answer to /next'])
    expect(await third).toBe('')
  })

  it('are all answered where each has a body', async () => {
    const { to } = await late(0)
    const socket = await dial('', to)
    const all = receive(socket)
    const post = (at: number) => `POST /${at} HTTP/1.1\r\nHost: x\r\nContent-Length: ${at}\r\n\r\n${'x'.repeat(at)}`
    socket.end(Array.from({ length: 500 }, (_, at) => post(at)).join(''))
    expect([...(await all).matchAll(/answer to \/(\d+)/g)].map(([, at]) => Number(at))).toEqual(
      Array.from({ length: 500 }, (_, at) => at),
    )
  })
})

test('the limit holds for several servers together, and whoever has sent nothing for longest gives way', async () => {
  const servers = [createServer(), createServer()] as const
  const [one, other] = servers
  const both = trackConnections(servers, { places: placesFor(2), stalledMs: 60_000, onRequestEnd: () => undefined })
  for (const each of servers) await new Promise<void>((resolve) => each.listen(0, '127.0.0.1', resolve))
  const [first, second] = [await dial('', one), await dial('', other)]
  await vi.waitFor(() => expect(both.active()).toBe(2))
  const end = closed(first)
  const third = await dial('', other)
  await end
  expect(both.active()).toBe(2)
  expect([second.destroyed, third.destroyed]).toEqual([false, false])
  for (const socket of [second, third]) socket.destroy()
  await vi.waitFor(() => expect(both.active()).toBe(0))
  for (const each of servers) each.close()
})

describe('a long answer', () => {
  const folder = mkdtempSync(join(tmpdir(), 'netops-connections-'))
  const pair = makeCertificate(folder, 'server')
  const credentials = { cert: readFileSync(pair.cert), key: readFileSync(pair.key) }
  afterAll(() => rmSync(folder, { recursive: true }))

  // More than the kernel takes for a connection.
  const long = Buffer.alloc(20e6)
  const answering = (_request: unknown, response: ServerResponse) => void response.end(long)
  const kinds = [
    ['plain', () => createServer(answering)],
    ['TLS', () => createTlsServer(credentials, answering)],
  ] as const

  /** A client that asks and does not read yet. */
  async function ask(kind: 'plain' | 'TLS', to: NetServer): Promise<Socket> {
    const { port } = to.address() as AddressInfo
    const at = { port, host: '127.0.0.1' }
    const socket = kind === 'plain' ? connect(at) : connectOverTls({ ...at, ca: credentials.cert })
    socket.on('error', () => undefined)
    await new Promise<void>((resolve) => socket.once(kind === 'plain' ? 'connect' : 'secureConnect', resolve))
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    return socket
  }

  it.each(kinds)('is cut off where its client takes nothing of it (%s)', async (kind, make) => {
    const slow = make()
    const tracked = trackConnections([slow], { places: placesFor(10), stalledMs: 200, onRequestEnd: nobody })
    await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve))
    const socket = await ask(kind, slow)
    await vi.waitFor(() => expect(tracked.requestsInFlight()).toBe(1))
    await vi.waitFor(() => expect(tracked.active()).toBe(0), { timeout: 10_000 })
    socket.destroy()
    slow.close()
  })

  it.each(kinds)('comes to its end where its client takes it slowly (%s)', async (kind, make) => {
    const slow = make()
    trackConnections([slow], { places: placesFor(10), stalledMs: 600, onRequestEnd: nobody })
    await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve))
    const socket = await ask(kind, slow)
    let length = 0
    const begun = performance.now()
    const whole = new Promise<void>((resolve, reject) => {
      socket.once('close', () => reject(new Error(`cut off after ${length} bytes`)))
      socket.on('data', (chunk: Buffer) => {
        length += chunk.length
        if (length > long.length) resolve()
        // Twice and a half as long as a client may take nothing.
        if (performance.now() - begun > 1500) return
        socket.pause()
        setTimeout(() => socket.resume(), 5)
      })
    })
    await whole
    expect(performance.now() - begun).toBeGreaterThan(1500)
    socket.destroy()
    slow.close()
  })
})

describe('draining over TLS', () => {
  const folder = mkdtempSync(join(tmpdir(), 'netops-connections-'))
  const pair = makeCertificate(folder, 'server')
  const [cert, key] = [readFileSync(pair.cert), readFileSync(pair.key)]
  afterAll(() => rmSync(folder, { recursive: true }))

  let overTls: TlsServer
  let tracked: Connections
  beforeEach(async () => {
    overTls = createTlsServer({ cert, key }, (request, response) => {
      request.on('end', () => response.end('ok'))
      request.resume()
    })
    tracked = trackConnections([overTls], {
      places: placesFor(10),
      stalledMs: 60_000,
      onRequestEnd: ({ seconds }) => ended.push(seconds),
    })
    await new Promise<void>((resolve) => overTls.listen(0, '127.0.0.1', resolve))
  })
  afterEach(() => overTls.closeAllConnections())

  const dialOverTls = async (text: string): Promise<TLSSocket> => {
    const { port } = overTls.address() as AddressInfo
    const socket = connectOverTls({ port, host: '127.0.0.1', ca: cert })
    socket.on('error', () => undefined)
    await new Promise<void>((resolve) => socket.once('secureConnect', resolve))
    socket.write(text)
    return socket
  }
  const limits = { lingerMs: 100, drainMs: 60_000 }

  it('closes idle connections and those without a handshake after the linger', async () => {
    const sockets = [await dialOverTls(''), await dial('', overTls)]
    const used = await dialOverTls('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    await new Promise<void>((resolve) => used.once('data', () => resolve()))
    await vi.waitFor(() => expect(tracked.active()).toBe(3))
    const ends = Promise.all([...sockets, used].map(closed))
    expect(await tracked.drain(limits)).toBe(0)
    await ends
    await vi.waitFor(() => expect(tracked.active()).toBe(0))
  })

  it('lets a request end that has begun to arrive', async () => {
    const socket = await dialOverTls('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc')
    await vi.waitFor(() => expect(tracked.requestsInFlight()).toBe(1))
    let text = ''
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
    const end = closed(socket)
    setTimeout(() => socket.write('def'), 300)
    expect(await tracked.drain(limits)).toBe(0)
    await end
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    expect(text).toContain('Connection: close\r\n')
  })

  it('does not take a connection for idle whose handshake has begun, until the time is over', async () => {
    const socket = await dial('\x16\x03\x01', overTls)
    await vi.waitFor(() => expect(tracked.active()).toBe(1))
    await new Promise((resolve) => setTimeout(resolve, 50))
    const end = closed(socket)
    const begun = performance.now()
    expect(await tracked.drain({ lingerMs: 10, drainMs: 400 })).toBe(0)
    expect(performance.now() - begun).toBeGreaterThan(390)
    await end
  })
})
