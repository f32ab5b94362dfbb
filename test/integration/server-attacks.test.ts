// network_server as somebody sees it who wants it down: many connections that hold what they take, each by another way.
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, it } from 'vitest'
import { makeCertificate } from '../support/certificates.ts'
import {
  ask,
  askOverTls,
  dial,
  eventually,
  here,
  metric,
  peakOf,
  received,
  startReady,
  untilStuck,
  useServers,
  type Running,
} from '../support/server-process.ts'

useServers()

const attackers: Socket[] = []
afterEach(() => {
  for (const socket of attackers.splice(0)) socket.destroy()
})

/** A connection that reads nothing unless it is told to. */
async function attack(port = here.ports.server): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  attackers.push(socket)
  socket.on('error', () => undefined)
  await new Promise<void>((resolve) => socket.once('connect', resolve))
  return socket
}

const attacks = (count: number, port?: number): Promise<readonly Socket[]> =>
  Promise.all(Array.from({ length: count }, () => attack(port)))

const serve = (lines: readonly string[] = [], most = 100): Promise<Running> =>
  startReady({
    config: [
      `server: { host: 127.0.0.1, port: ${here.ports.server}, tls_port: ${here.ports.tls}, max_connections: ${most} }`,
      `metrics: { port: ${here.ports.metrics} }`,
      ...(lines.some((line) => /^(?:auth|security):/.test(line)) ? [] : ['security: { auth: none }']),
      ...lines,
      '',
    ].join('\n'),
  })

/** The slowest but one of a hundred health checks, in ms. */
async function slowHealth(): Promise<number> {
  const times: number[] = []
  for (let count = 0; count < 100; count++) {
    const begun = performance.now()
    expect((await ask('/health')).status).toBe(200)
    times.push(performance.now() - begun)
  }
  return times.sort((a, b) => a - b).at(-2) ?? Infinity
}

// What is read and thrown away lies there until it is collected, by each of four threads for itself: some 200 MB, half of
// it with one thread; without bounds these attacks take three and ten times as much, and more with more connections.
const mostGrowth = 300e6
// What a probe waits at the least.
const slowestMs = 1000

describe('bodies', () => {
  it('that nobody wants are not kept, however many hold back their last byte', async () => {
    const server = await serve()
    const before = peakOf(server.child)
    const mega = Buffer.alloc(1e6)
    const sockets = await attacks(60)
    const heads = ['POST /no/such', 'PUT /health', 'GET /health']
    await Promise.all(
      sockets.map(async (socket, index) => {
        socket.write(`${heads[index % 3] ?? ''} HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n`)
        for (let sent = 0; sent < 9 && !socket.destroyed; sent++) {
          if (!socket.write(mega)) await new Promise((resolve) => socket.once('drain', resolve).once('close', resolve))
        }
      }),
    )
    expect(await slowHealth()).toBeLessThan(slowestMs)
    expect(peakOf(server.child) - before).toBeLessThan(mostGrowth)
  })

  it('are refused while they are sent, with an answer that their client can read to its end', async () => {
    await serve()
    // A client that reads only after it has sent everything.
    const socket = connect({ port: here.ports.server, host: '127.0.0.1', allowHalfOpen: true })
    attackers.push(socket)
    const failed = new Promise<string>((resolve) => socket.once('error', ({ message }) => resolve(message)))
    const sent = new Promise<string>((resolve) => socket.once('finish', () => resolve('sent')))
    socket.write('POST /no/such HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n')
    for (let count = 0; count < 100; count++) socket.write(`10000\r\n${'x'.repeat(65_536)}\r\n`)
    socket.end('0\r\n\r\n')
    expect(await Promise.race([sent, failed])).toBe('sent')
    const answer = await text(socket)
    expect(answer).toMatch(/^HTTP\/1\.1 404 Not Found\r\n(?:.+\r\n)*connection: close\r\n/i)
    expect(answer).toContain('"detail":"nothing is served at POST /no/such"')
  })

  it('are not asked for where the client waits to be asked', async () => {
    await serve(['auth: { jwt_secret: "0123456789abcdef0123456789abcdef" }'])
    const wire = await dial()
    wire.socket.write('POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n')
    await received(wire, 'a valid token is required')
    expect(wire.received()).toMatch(/^HTTP\/1\.1 401 /)
    const other = await dial()
    other.socket.write('GET /health HTTP/1.1\r\nHost: x\r\nExpect: a miracle\r\n\r\n')
    await received(other, 'HTTP/1.1 417 ')
  })
})

describe('requests in a row', () => {
  const row = Buffer.from('GET /health HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(30_000))
  const few = 8

  it('of clients that take no answers are not kept, cost nobody their health check, and end', async () => {
    const server = await serve([`performance: { request_timeout_ms: 2000 }`])
    const before = peakOf(server.child)
    const sockets = await attacks(few)
    for (const socket of sockets) socket.write(row)
    expect(await slowHealth()).toBeLessThan(slowestMs)
    // Until each of them is stuck: nothing is taken from the kernel any more.
    await eventually(async () => {
      expect(await metric('network_connections_active')).toBe(0)
    })
    expect(peakOf(server.child) - before).toBeLessThan(mostGrowth)
    expect(await ask('/health')).toMatchObject({ status: 200 })
  })

  it('are all answered, in their order, where the client takes the answers', async () => {
    await serve()
    const wire = await dial()
    wire.socket.write(Array.from({ length: 3000 }, (_, at) => `GET /${at} HTTP/1.1\r\nHost: x\r\n\r\n`).join(''))
    await received(wire, 'nothing is served at GET /2999')
    const answered = [...wire.received().matchAll(/served at GET \/(\d+)"/g)].map(([, at]) => Number(at))
    expect(answered).toEqual(Array.from({ length: 3000 }, (_, at) => at))
    wire.socket.end('GET /one HTTP/1.1\r\nHost: x\r\n\r\nGET /more HTTP/1.1\r\nHost: x\r\n\r\n')
    await wire.ended
    expect(wire.received()).toContain('nothing is served at GET /more')
  })
})

describe('when all connections are at work', () => {
  it('health is answered, everything else is told to try again', async () => {
    const server = await serve([], 10)
    // Each is stuck in an answer that its client does not take.
    const busy = Buffer.from(`GET /${'x'.repeat(12_000)} HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(400))
    for (const socket of await attacks(10)) socket.write(busy)
    await untilStuck()
    await eventually(async () => expect(await ask('/x')).toMatchObject({ status: 503 }))
    const answer = await ask('/x')
    expect(answer.headers).toMatchObject({ 'retry-after': '1', connection: 'close' })
    expect(JSON.parse(answer.body)).toMatchObject({ detail: 'all connections are in use: try again' })
    expect(await slowHealth()).toBeLessThan(slowestMs)
    await server.logged('connections are refused: server.max_connections are open')
    expect(await metric('network_connections_refused_total')).toBeGreaterThan(0)
  })
})

describe('silent connections', () => {
  it('shut nobody out, be they of HTTP, of TLS before its handshake, or of metrics', async () => {
    const pair = makeCertificate(join(here.root, 'tls'), 'server')
    await serve(['security: { auth: none, ssl_enabled: true, cert_file: /tls/server.crt, key_file: /tls/server.key }'])
    const [plain] = [await attacks(80), await attacks(60, here.ports.metrics)]
    for (const [at, socket] of plain.entries()) if (at % 2 === 0) socket.write('GET /health HTTP/1.1\r\nHo')
    for (const socket of await attacks(80, here.ports.tls)) socket.write('\x16\x03\x01')
    for (let again = 0; again < 5; again++) {
      expect(await ask('/health')).toMatchObject({ status: 200 })
      expect(await ask('/x')).toMatchObject({ status: 404 })
      expect(await askOverTls('/x', readFileSync(pair.cert))).toMatchObject({ status: 404 })
      expect(await ask('/metrics', here.ports.metrics)).toMatchObject({ status: 200 })
    }
  })
})

describe('heads', () => {
  it.each([
    ['a long address', `GET /${'x'.repeat(20_000)} HTTP/1.1\r\n`],
    ['many headers', `GET /x HTTP/1.1\r\n${'a: b\r\n'.repeat(20_000)}`],
  ])('with %s are refused before they have ended', async (_, text) => {
    await serve()
    const wire = await dial()
    wire.socket.write(text)
    await wire.ended
    expect(wire.received()).toMatch(/^HTTP\/1\.1 431 /)
  })

  it.each([
    ['without a host', 'GET /health HTTP/1.1\r\n\r\n', 'the header Host is missing'],
    ['whose lines do not end as they should', 'GET /health HTTP/1.1\nHost: x\n\n', 'not a valid HTTP request'],
    [
      'with two lengths of their body',
      'POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n',
      'not a valid HTTP request',
    ],
  ])('%s are refused, and their connection ends', async (_, text, detail) => {
    await serve()
    for (const port of [here.ports.server, here.ports.metrics]) {
      const wire = await dial(port)
      wire.socket.write(text)
      await wire.ended
      expect(wire.received()).toMatch(/^HTTP\/1\.1 400 /)
      expect(wire.received()).toContain(`"detail":"${detail}"`)
    }
  })
})
