// Requests for records, forged: whatever they ask for, each is answered in HTTP, none with 500, and what was written is JSON.
import { connect } from 'node:net'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { startApi, type Api } from '../support/api.ts'
import { fuzz } from '../support/fuzz.ts'

const name = fc.oneof(
  { weight: 40, arbitrary: fc.constantFrom('a', 'b', 'a', 'b', '...') },
  {
    weight: 4,
    arbitrary: fc.constantFrom('.', '..', '%2e', '%00', '%zz', '%', 'a%2fb', '%c3%a4', '%ff', '', 'a'.repeat(201)),
  },
  {
    weight: 1,
    arbitrary: fc.string({ unit: 'binary-ascii', maxLength: 8 }).map((text) => text.replace(/[\s\0]/g, '')),
  },
)
const query = fc.oneof(
  { weight: 12, arbitrary: fc.constant('') },
  fc.constantFrom(
    ...['?limit=1', '?limit=0', '?limit=1e3', '?limit=1&limit=2', '?prefix=a', '?prefix=%00', '?cursor=MWE'],
  ),
  fc.constantFrom(
    ...[
      '?cursor=!',
      '?x',
      '?__proto__=1',
      '?constructor[prototype]=1',
      '?%',
      '?limit=%ff',
      `?prefix=${'a'.repeat(300)}`,
    ],
  ),
)
const path = fc.oneof(
  { weight: 12, arbitrary: fc.tuple(name, name, query).map(([one, two, more]) => `/v1/records/${one}/${two}${more}`) },
  { weight: 3, arbitrary: fc.tuple(name, query).map(([one, more]) => `/v1/records/${one}${more}`) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '/v1/records',
      '/v1/records/',
      '/v1',
      '/V1/records/a/b',
      '/openapi.json',
      '//',
      '/v1/records/a/b/c',
    ),
  },
)

const etags = fc.constantFrom(
  '*',
  '"1"',
  'W/"1"',
  '"1", "2"',
  '"',
  '""',
  '1',
  '"1"x',
  '',
  '"9999999999999999999"',
  '"\u00e4"',
  ','.repeat(50),
)
const header = fc.oneof(
  { weight: 5, arbitrary: fc.tuple(fc.constantFrom('If-Match', 'If-None-Match'), etags) },
  fc.tuple(
    fc.constant('Idempotency-Key'),
    fc.constantFrom('k', 'k2', '', 'a b', '\u00e4', 'x'.repeat(255), 'x'.repeat(256)),
  ),
  fc.tuple(fc.constant('X-Request-Id'), fc.constantFrom('r', '', 'a b', '"', 'x'.repeat(500), '\u00e4', '../..')),
  fc.tuple(fc.constant('Content-Encoding'), fc.constantFrom('gzip', 'identity', '')),
  fc.tuple(fc.constant('If-Unmodified-Since'), fc.constantFrom('x', 'Fri, 27 Nov 2026 00:00:00 GMT')),
  fc.tuple(fc.constant('Range'), fc.constantFrom('bytes=0-1', 'bytes=5-', 'x')),
  fc.tuple(fc.constant('Accept'), fc.constantFrom('text/html', '*/*;q=0')),
  fc.tuple(fc.constant('Authorization'), fc.constantFrom('Bearer x', 'Basic x', '')),
  fc.tuple(fc.constant('Expect'), fc.constantFrom('100-continue', '100-continue', '100-continue', 'x')),
)
const contentType = fc.oneof(
  { weight: 40, arbitrary: fc.constant('application/json') },
  fc.constantFrom(
    'application/json; charset=utf-8',
    'application/json;charset=x',
    'text/json',
    '',
    'application/json\t;',
    '*/*',
    'a;'.repeat(50),
  ),
)

const utf8 = (text: string): Buffer => Buffer.from(text)
const body = fc.oneof(
  { weight: 4, arbitrary: fc.json({ maxDepth: 4 }).map(utf8) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)) },
  // Texts of JSON with a byte changed.
  {
    weight: 2,
    arbitrary: fc.tuple(fc.json(), fc.nat(), fc.nat(255)).map(([text, at, byte]) => {
      const bytes = utf8(text)
      bytes[at % bytes.length] = byte
      return bytes
    }),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom('[', '{"a":', '[{"a":', '"['), fc.constantFrom(1, 99, 100, 101, 400))
      .map(([part, times]) => utf8(part.repeat(times))),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom('', '\ufeff1', '"\ud800"', '1e999', '-0', '"\\u0000"', '{"__proto__":{}}', 'NaN', '01')
      .map(utf8),
  },
  { weight: 1, arbitrary: fc.constantFrom(Buffer.alloc(2001, '1'), Buffer.alloc(2000, '1'), Buffer.alloc(2000, '1')) },
)

const request = fc
  .record({
    method: fc.oneof(
      { weight: 20, arbitrary: fc.constantFrom('GET', 'GET', 'HEAD', 'PUT', 'PUT', 'PUT', 'DELETE') },
      fc.constantFrom('POST', 'PATCH', 'OPTIONS', 'PROPFIND'),
    ),
    path,
    headers: fc.array(header, { maxLength: 2 }),
    contentType,
    body,
    framing: fc.constantFrom('length', 'length', 'length', 'chunks', 'none'),
  })
  .map(({ method, path, headers, contentType, body, framing }) => {
    const lines = [...headers, ['Content-Type', contentType] as const].map(([key, value]) => `${key}: ${value}\r\n`)
    const head = (more: string) =>
      Buffer.from(`${method} ${path} HTTP/1.1\r\nHost: x\r\n${lines.join('')}${more}\r\n`, 'latin1')
    const bytes =
      framing === 'none'
        ? head('')
        : framing === 'length'
          ? Buffer.concat([head(`Content-Length: ${body.length}\r\n`), body])
          : Buffer.concat([
              head('Transfer-Encoding: chunked\r\n'),
              ...(body.length === 0 ? [] : [utf8(`${body.length.toString(16)}\r\n`), body, utf8('\r\n')]),
              utf8('0\r\n\r\n'),
            ])
    // As text, in which a counterexample can be read.
    return { method, text: bytes.toString('latin1') }
  })

/** Sends requests behind each other on one connection, with an early end perhaps, and gives all that is answered. */
const talk = (api: Api, sent: Buffer): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect({ port: api.port, host: '127.0.0.1', allowHalfOpen: true })
    let text = ''
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
    socket.on('error', reject)
    socket.on('end', () => {
      socket.end()
      resolve(text)
    })
    socket.end(sent)
  })

const known = /^HTTP\/1\.1 (?:100|200|201|204|304|400|404|405|412|413|415|417|422) /

/** The answers in a text, each with its status and its body. */
function answersIn(text: string, methods: readonly string[]): { readonly status: number; readonly body: string }[] {
  const answers: { status: number; body: string }[] = []
  let rest = text
  while (rest.length > 0) {
    expect(rest.slice(0, 40)).toMatch(known)
    const end = rest.indexOf('\r\n\r\n')
    expect(end).toBeGreaterThan(0)
    const head = rest.slice(0, end)
    const status = Number(head.slice(9, 12))
    const told = Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? 0)
    if (status !== 100) expect(head).toMatch(/^x-request-id: [A-Za-z0-9._~-]{1,128}\r?$/im)
    const after = rest.slice(end + 4)
    // A request that could not even be read is answered with a body, whatever its method was.
    const bodyless = methods[answers.length] === 'HEAD' && !after.startsWith('{')
    const length = bodyless || status === 304 ? 0 : told
    if (status !== 100) answers.push({ status, body: rest.slice(end + 4, end + 4 + length) })
    rest = rest.slice(end + 4 + length)
  }
  return answers
}

test('forged requests for records are answered each, and what was written is what JSON allows', async () => {
  const failures: unknown[] = []
  const seen = new Map<number, number>()
  await using api = await startApi({
    config: 'security: { auth: none }\nperformance: { max_request_size: 2000B, request_timeout_ms: 2000 }',
    onError: (about) => failures.push(about),
  })
  const conversation = fc.record({
    requests: fc.array(request, { minLength: 1, maxLength: 20, size: 'max' }),
    cut: fc.option(fc.nat(60), { freq: 9 }),
  })
  await fuzz(conversation, 10_000, async ({ requests, cut }) => {
    const all = Buffer.from(requests.map(({ text: one }) => one).join(''), 'latin1')
    const text = await talk(api, cut === null ? all : all.subarray(0, Math.max(0, all.length - cut)))
    const answers = answersIn(
      text,
      requests.map(({ method }) => method),
    )
    for (const { status, body } of answers)
      if (status === 200 && body !== '') JSON.parse(Buffer.from(body, 'latin1').toString())
    for (const { status } of answers) seen.set(status, (seen.get(status) ?? 0) + 1)
    expect(failures).toEqual([])
  })
  expect((await api.ask({ path: '/health' })).status).toBe(200)
  // All that the routes can answer was reached.
  const statuses = [200, 201, 204, 304, 400, 404, 405, 412, 413, 415, 417, 422]
  expect([...seen.keys()].sort((a, b) => a - b)).toEqual(statuses)
})
