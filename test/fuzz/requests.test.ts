// Bytes that a client sends: whatever they are, the service answers in HTTP or closes, says nothing that the client put
// into its mouth, and goes on.
import { get } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createApp } from '../../src/server/app.ts'
import { sharedBudget } from '../../src/server/bodies.ts'
import { answerBudget } from '../../src/server/records/large-answers.ts'
import { trackConnections, type Connections } from '../../src/server/connections.ts'
import { createPlaces } from '../../src/server/places.ts'
import { readServerConfig } from '../../src/config/server-config.ts'
import { fuzz } from '../support/fuzz.ts'
import { memoryStore } from '../support/memory-store.ts'
import { aloneCrowd } from '../../src/server/threads/crowd.ts'
import { createSharedMemory, openShared } from '../../src/server/threads/shared.ts'
import { atWork } from '../support/standing.ts'

const nobody = () => undefined
const timeLimitMs = 300
const config = readServerConfig(
  `performance: { max_request_size: 1000B, request_timeout_ms: ${timeLimitMs}, keep_alive_timeout_ms: ${timeLimitMs} }\n`,
  'config.yaml',
).value

const failures: unknown[] = []
let port = 0
let connections: Connections
let close = nobody as () => void

beforeAll(async () => {
  const places = createPlaces({ most: 50, reserved: 2, crowd: aloneCrowd(), onGivenUp: nobody, onRefused: nobody })
  const checks = { database: true, memory: true, disk: true, network: true }
  const took = { duration_ms: 1 }
  const details = { database: took, memory: took, disk: took, network: took }
  const shared = openShared(createSharedMemory(1))
  const { plain } = await createApp({
    config,
    tls: undefined,
    tokens: undefined,
    store: memoryStore(),
    health: { read: () => Promise.resolve({ healthy: true, status: 'healthy', checks, details }) },
    places,
    bodies: sharedBudget(shared, 10_000),
    answers: answerBudget(shared, 100_000),
    standing: atWork,
    activity: { phase: () => 'serving', requests: () => 1, open: () => 1 },
    version: '1.0.0',
    release: 'r',
    logger: { error: (about: unknown) => failures.push(about) },
  })
  connections = trackConnections([plain], { places, stalledMs: timeLimitMs, onRequestEnd: nobody })
  await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve))
  port = (plain.address() as AddressInfo).port
  close = () => {
    plain.close()
    plain.closeAllConnections()
  }
})
afterAll(() => close())

const words = fc.constantFrom(
  ...[
    'GET',
    'POST',
    'HEAD',
    'PUT',
    'OPTIONS',
    'CONNECT',
    'TRACE',
    'PRI',
    'get',
    'X',
    ' ',
    '  ',
    '\t',
    '\r\n',
    '\n',
    '\r',
  ],
  ...[
    '/',
    '/health',
    '/health/ready',
    '*',
    'http://x/health',
    '/%00',
    '/..%2f',
    '//',
    '/x?y=\u001b[2J',
    '/\u0000',
    '#',
  ],
  ...['HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', 'HTTP/9', ':', ';', ',', '0', '5', '-1', '+5', '0x5', '18446744073709551616'],
  ...[
    'Host: x',
    'Content-Length',
    'Transfer-Encoding',
    'chunked',
    'identity',
    'Expect: 100-continue',
    'Connection: close',
  ],
  ...['Upgrade: websocket', 'Connection: Upgrade', 'x-injected: yes', '\u001b]0;title\u0007', '\u009b1m', '\r\n\r\n'],
)

/** Whole requests of which most are good, and pairs of lengths by which proxies and servers come to disagree. */
const request = fc
  .record({
    method: fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'DELETE'),
    path: fc.oneof(
      fc.constantFrom('/health', '/health/live', '/health/ready', '/x', '/x?token=1'),
      fc.string({ unit: 'binary-ascii', maxLength: 20 }).map((text) => `/${text}`),
    ),
    lengths: fc.constantFrom(
      '',
      'Content-Length: 5\r\n',
      'Content-Length: 2000\r\n',
      'Transfer-Encoding: chunked\r\n',
      'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n',
      'Transfer-Encoding: chunked\r\nContent-Length: 5\r\n',
      'Content-Length: 5\r\nContent-Length: 6\r\n',
      'Transfer-Encoding: xchunked\r\n',
      'Transfer-Encoding : chunked\r\n',
      'Transfer-Encoding: chunked, identity\r\n',
      'Content-Length: 5, 5\r\n',
    ),
    more: fc.constantFrom(
      '',
      'Expect: 100-continue\r\n',
      'Connection: close\r\n',
      'A: \u001b[2J\r\n',
      'A: b\r\n c\r\n',
    ),
    body: fc.constantFrom('', 'abcde', '5\r\nabcde\r\n0\r\n\r\n', '0\r\n\r\nGET /x HTTP/1.1\r\nHost: x\r\n\r\n'),
  })
  .map(
    ({ method, path, lengths, more, body }) => `${method} ${path} HTTP/1.1\r\nHost: x\r\n${lengths}${more}\r\n${body}`,
  )

const bytes = fc.oneof(
  { weight: 5, arbitrary: request.map((text) => Buffer.from(text, 'latin1')) },
  { weight: 3, arbitrary: fc.array(words, { maxLength: 20 }).map((all) => Buffer.from(all.join(''))) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }).map((all) => Buffer.from(all)) },
)

/** What one client sends: one thing after the other, with some bytes changed, in pieces, perhaps with an early end. */
const conversation = fc.record({
  sent: fc.array(bytes, { minLength: 1, maxLength: 6 }).map((all) => Buffer.concat(all)),
  changes: fc.array(fc.record({ at: fc.nat(), to: fc.nat(255) }), { maxLength: 3 }),
  cuts: fc.array(fc.nat(), { maxLength: 4 }),
  end: fc.constantFrom('half', 'half', 'reset'),
})
type Conversation = typeof conversation extends fc.Arbitrary<infer T> ? T : never

async function converse({ sent, changes, cuts, end }: Conversation): Promise<string> {
  const all = Buffer.from(sent)
  for (const { at, to } of changes) if (all.length > 0) all[at % all.length] = to
  const places = [0, ...cuts.map((cut) => cut % (all.length + 1)), all.length].sort((a, b) => a - b)
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }).setNoDelay(true)
  let answer = ''
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')))
  socket.on('error', nobody)
  const over = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  await new Promise<void>((resolve) => socket.once('connect', resolve))
  for (const [index, from] of places.slice(0, -1).entries()) {
    if (!socket.writable) break
    await new Promise<void>((resolve) => {
      socket.write(all.subarray(from, places[index + 1]), () => resolve())
      socket.once('close', () => resolve())
    })
  }
  if (end === 'half') socket.end()
  socket.once('end', () => socket.end())
  if (end === 'reset') socket.resetAndDestroy()
  // However it went: the server closes too, at the latest when its own times are over.
  await over
  return answer
}

/** The next one. This process serves it too: where it was kept from both for longer than the time limit, once more. */
async function health(): Promise<number> {
  const status = await askHealth()
  return status === 408 ? askHealth() : status
}

const askHealth = (): Promise<number> =>
  new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path: '/health', agent: false }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0))
    }).on('error', reject)
  })

// RFC 9112, 4 and 5: a status line, and headers of printable characters.
const statusLine = /^HTTP\/1\.1 (?:100|200|400|404|405|408|413|417|431|503) [A-Za-z -]+$/
const headerLine =
  /^(?:content-type|content-length|date|connection|keep-alive|cache-control|x-release|retry-after|x-request-id|allow): [ -~]*$/i

/** Checks that a text is answers in HTTP, one after the other, the last one perhaps cut off. */
function expectAnswers(text: string): void {
  let rest = text
  while (rest.length > 0) {
    const end = rest.indexOf('\r\n\r\n')
    if (end < 0) return
    const [first = '', ...headers] = rest.slice(0, end).split('\r\n')
    expect(first).toMatch(statusLine)
    for (const line of headers) expect(line).toMatch(headerLine)
    const length = Number(/^content-length: (\d+)$/im.exec(rest.slice(0, end))?.[1] ?? 0)
    const body = rest.slice(end + 4)
    // An answer to HEAD has a length and no body.
    const isHead = body.startsWith('HTTP/1.1 ') || (body === '' && length > 0)
    if (!isHead) expect(body.slice(0, length)).not.toMatch(/[\u0000-\u001f\u007f]/)
    rest = isHead ? body : body.slice(length)
  }
}

test('whatever a client sends, it gets HTTP or an end, and the next one is served', async () => {
  await fuzz(conversation, 400, async (given) => {
    expectAnswers(await converse(given))
    expect(await health()).toBe(200)
    expect(failures).toEqual([])
  })
  await expect.poll(() => connections.active()).toBe(0)
  expect(connections.requestsInFlight()).toBe(0)
})
