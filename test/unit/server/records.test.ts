import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTokenCheck } from '../../../src/server/tokens.ts'
import { startApi, type Api, type Asked } from '../../support/api.ts'
import { apiContract, contractConfig, contractKey } from '../../support/api-contract.ts'
import { eventually } from '../../support/server-process.ts'

const at = '/v1/records/users/ada'
const problemType = expect.stringMatching(/^application\/problem\+json\b/) as string
const json = { 'content-type': 'application/json' }
const put = (api: Api, body: string, headers: Asked['headers'] = {}, path = at) =>
  api.ask({ method: 'PUT', path, body, headers: { ...json, ...headers } })
const remove = (api: Api, headers: Asked['headers'] = {}) => api.ask({ method: 'DELETE', path: at, headers })

test.each([
  ['"1"', 304],
  ['W/"1"', 304],
  ['"0", "1"', 304],
  ['*', 304],
  ['"2"', 200],
  ['1', 200],
])('a read with If-None-Match: %s is answered %i', async (given, status) => {
  await using api = await startApi()
  await put(api, '{}')
  const answer = await api.ask({ path: at, headers: { 'if-none-match': given } })
  expect(answer).toMatchObject({ status, headers: { etag: '"1"' }, body: status === 304 ? '' : '{}' })
})

test('a read with If-Match is for that version only', async () => {
  await using api = await startApi()
  await put(api, '{}')
  const read = async (given: string) => (await api.ask({ path: at, headers: { 'if-match': given } })).status
  expect(await Promise.all(['"1"', '"5", "1"', '*', '"2"', 'W/"1"'].map(read))).toEqual([200, 200, 200, 412, 412])
})

test.each([
  [{ 'if-match': '"1"' }, 412, 201, 412],
  [{ 'if-match': '*' }, 412, 200, 204],
  [{ 'if-match': 'W/"2"' }, 412, 412, 412],
  [{ 'if-match': '"other", "01", "99999999999999999999"' }, 412, 412, 412],
  [{ 'if-none-match': '*' }, 201, 412, 412],
] as const)('writes with %o: without a record %i', async (headers, without, _with, removed) => {
  await using api = await startApi()
  expect(await put(api, '1', headers)).toMatchObject({ status: without })
  const there = await put(api, '1')
  const matching = 'if-match' in headers && headers['if-match'] === '"1"'
  expect(there.headers.etag).toBe(without === 201 ? '"2"' : '"1"')
  expect(await put(api, '2', headers)).toMatchObject({ status: matching ? 200 : _with })
  expect(await remove(api, headers)).toMatchObject({ status: removed })
})

test.each<readonly [string, Asked['headers'], number, string]>([
  ['names of conditions without quotes', { 'if-match': '7' }, 400, 'if-match: expected *, or at most 100 ETags'],
  ['an empty condition', { 'if-match': '' }, 400, 'if-match: expected *, or at most 100 ETags'],
  ['more ETags than are read', { 'if-match': Array(101).fill('"1"').join() }, 400, 'if-match: expected'],
  ['If-None-Match with ETags', { 'if-none-match': '"1"' }, 400, 'if-none-match: expected *'],
  ['both conditions', { 'if-match': '*', 'if-none-match': '*' }, 400, 'expected only one of If-Match and'],
  ['a condition of time', { 'if-unmodified-since': new Date().toUTCString() }, 400, 'if-unmodified-since: not known'],
  ['an idempotency key with a space', { 'idempotency-key': 'a b' }, 400, 'idempotency-key: expected 1 to 255'],
  ['an idempotency key that is too long', { 'idempotency-key': 'a'.repeat(256) }, 400, 'idempotency-key: expected'],
  ['another type', { 'content-type': 'text/plain' }, 415, 'content-type: expected application/json'],
  ['another charset', { 'content-type': 'application/json; charset=latin1' }, 415, 'content-type: expected'],
  ['a compressed body', { 'content-encoding': 'gzip' }, 415, 'content-encoding: none is known here'],
])('refuses %s', async (_what, headers, status, detail) => {
  await using api = await startApi()
  const refused = await put(api, '{}', headers)
  expect(refused).toMatchObject({ status, headers: { 'content-type': problemType } })
  expect((JSON.parse(refused.body) as { detail: string }).detail).toContain(detail)
  expect(await api.ask({ path: at })).toMatchObject({ status: 404 })
})

test.each(['application/json', 'Application/JSON; charset=utf-8', 'application/json;charset="UTF-8"'])(
  'takes a body of type %s',
  async (type) => {
    await using api = await startApi()
    expect(await put(api, '{}', { 'content-type': type })).toMatchObject({ status: 201 })
  },
)

const deep = (levels: number, open = '[', close = ']') => open.repeat(levels) + close.repeat(levels)

test.each<readonly [string, string | Uint8Array, string]>([
  ['nothing', '', 'the body is not JSON'],
  ['half an object', '{"a":', 'the body is not JSON'],
  ['a word', 'hunter2', 'the body is not JSON'],
  ['two values', '{}{}', 'the body is not JSON'],
  ['a mark of the order of bytes', '\ufeff{}', 'the body is not JSON'],
  ['a control character in a text', '"\u0001"', 'the body is not JSON'],
  ['bytes that are no UTF-8', Buffer.from([0x22, 0xff, 0x22]), 'the body is not UTF-8'],
  ['half a character', Buffer.from('"ä').subarray(0, 2), 'the body is not UTF-8'],
  ['lists within each other', deep(101), 'the body has more than 100 objects and lists within each other'],
  ['a million of them', '['.repeat(1_000_000), 'the body has more than 100 objects'],
  ['objects within each other', deep(101, '{"a":', '}').replace('}', '1}'), 'the body has more than 100 objects'],
])('refuses a body of %s, and does not repeat it', async (_what, body, detail) => {
  await using api = await startApi()
  const refused = await api.ask({ method: 'PUT', path: at, body, headers: json })
  expect(refused).toMatchObject({ status: 400 })
  expect((JSON.parse(refused.body) as { detail: string }).detail).toContain(detail)
})

test.each([
  ['exactly as deep as may be', deep(100)],
  ['brackets in texts', JSON.stringify('['.repeat(200) + '\\"[')],
  ['lists beside each other', `[${'[],'.repeat(500)}[]]`],
])('takes %s', async (_what, body) => {
  await using api = await startApi()
  expect(await put(api, body)).toMatchObject({ status: 201 })
})

test('a body is read only when its head is good', async () => {
  await using api = await startApi({ config: 'performance: { max_request_size: 10B }' })
  expect(await put(api, '"12345678"')).toMatchObject({ status: 201 })
  expect(await put(api, '"123456789"')).toMatchObject({ status: 413 })
  const refused = await api.ask({ method: 'PUT', path: at, body: '{}', headers: { 'transfer-encoding': 'chunked' } })
  expect(refused).toMatchObject({ status: 415, headers: { connection: 'close' } })
})

test.each([
  '/v1/records/users/.',
  '/v1/records/users/..',
  '/v1/records/%2e%2e/ada',
  '/v1/records/users/a%2fb',
  '/v1/records/users/a%20b',
  '/v1/records/users/%00',
  '/v1/records/users/%c3%a4',
  '/v1/records/a%0d%0ab/c',
  `/v1/records/users/${'a'.repeat(201)}`,
  `/v1/records/${'a'.repeat(201)}/x`,
  '/v1/records/a+b',
])('refuses the name in %s', async (path) => {
  await using api = await startApi()
  const answers = [await api.ask({ path })]
  if (path.split('/').length > 4) answers.push(await put(api, '{}', {}, path))
  for (const { status, body } of answers) {
    expect(status).toBe(400)
    expect((JSON.parse(body) as { detail: string }).detail).toMatch(/^(?:collection|key): expected 1 to 200 of /)
  }
})

test.each(['a', 'a'.repeat(200), '...', '-', '~._-', 'toString', '__proto__', '%61'])(
  'takes %s as a name',
  async (name) => {
    await using api = await startApi()
    const path = `/v1/records/${name}/${name}`
    expect(await put(api, '1', {}, path)).toMatchObject({ status: 201 })
    expect(await api.ask({ path: path.replaceAll('%61', 'a') })).toMatchObject({ status: 200, body: '1' })
  },
)

test.each([
  ['POST', at, 'GET, HEAD, PUT, DELETE'],
  ['PATCH', at, 'GET, HEAD, PUT, DELETE'],
  ['OPTIONS', at, 'GET, HEAD, PUT, DELETE'],
  ['PROPFIND', at, 'GET, HEAD, PUT, DELETE'],
  ['PUT', '/v1/records/users', 'GET, HEAD'],
  ['DELETE', '/v1/records/users?x=1', 'GET, HEAD'],
  ['POST', '/openapi.json', 'GET, HEAD'],
  ['POST', '/health/live', 'GET, HEAD'],
])('%s %s is not a method of that', async (method, path, allow) => {
  await using api = await startApi()
  const refused = await api.ask({ method, path })
  expect(refused).toMatchObject({ status: 405, headers: { allow, 'content-type': problemType } })
})

test('a page of large records ends early', async () => {
  await using api = await startApi()
  for (const key of ['a', 'b', 'c', 'd']) await put(api, `"${'x'.repeat(2 ** 20)}"`, {}, `/v1/records/c/${key}`)
  const { body } = await api.ask({ path: '/v1/records/c' })
  const { items, next } = JSON.parse(body) as { items: { key: string }[]; next: string }
  expect(items.map(({ key }) => key)).toEqual(['a', 'b', 'c'])
  expect((await api.ask({ path: `/v1/records/c?cursor=${next}` })).body).toContain('"key":"d"')
})

test.each([
  ['limit=0', 'limit: '],
  ['limit=1001', 'limit: '],
  ['limit=-1', 'limit: '],
  ['limit=1e2', 'limit: '],
  ['limit=', 'limit: '],
  ['limit=1&limit=2', 'limit: '],
  ['prefix=a%20b', 'prefix: '],
  [`prefix=${'a'.repeat(201)}`, 'prefix: '],
  ['cursor=', 'cursor: '],
  ['cursor=YQ', 'cursor: '],
  ['cursor=MS4u', 'cursor: '],
  ['cursor=..', 'cursor: '],
  ['hunter2=1', 'a parameter that is not known here'],
  ['__proto__=1', 'a parameter that is not known here'],
])('refuses a list with ?%s', async (query, detail) => {
  await using api = await startApi()
  const { status, body } = await api.ask({ path: `/v1/records/c?${query}` })
  expect(status).toBe(400)
  const told = (JSON.parse(body) as { detail: string }).detail
  expect(told.startsWith(detail)).toBe(true)
  expect(told).not.toContain('hunter2')
})

test('a store that cannot be asked is told with its reason, and it is worth trying again', async () => {
  const errors: unknown[] = []
  await using api = await startApi({ onError: (about) => errors.push(about) })
  await put(api, '1')
  api.store.fail('the primary does not answer')
  for (const answer of [
    await api.ask({ path: at }),
    await put(api, '2'),
    await remove(api),
    await api.ask({ path: '/v1/records/users' }),
  ]) {
    expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '1' } })
    expect(JSON.parse(answer.body)).toMatchObject({
      detail: 'the records cannot be reached: the primary does not answer',
    })
  }
  api.store.fail(undefined)
  expect(await api.ask({ path: at })).toMatchObject({ status: 200, body: '1' })
  expect(errors).toEqual([])
})

test('a fault of the store is told without what it says, and logged', async () => {
  const errors: { readonly err?: Error }[] = []
  await using api = await startApi({ onError: (about) => errors.push(about as never) })
  Object.assign(api.store, { get: () => Promise.reject(new Error('SELECT hunter2')) })
  const failed = await api.ask({ path: at })
  expect(failed.status).toBe(500)
  expect(failed.body).not.toContain('hunter2')
  expect(errors[0]?.err?.message).toBe('SELECT hunter2')
})

test('every answer names its request: as the client does, or by a new name', async () => {
  await using api = await startApi()
  const paths = [at, '/v1/records/users', '/nothing', '/health', '/openapi.json', '/v1/records/a%20b', '/%zz']
  const seen = new Set<string>()
  for (const path of paths) {
    for (const given of ['', 'a b', 'ä', 'a'.repeat(129), ['x', 'y']]) {
      const { headers } = await api.ask({ path, headers: { 'x-request-id': given } })
      const id = headers['x-request-id'] as string
      expect(id).toMatch(/^[\w-]{12}\.[0-9a-z]+$/)
      expect(seen.size).toBeLessThan(seen.add(id).size)
    }
    const { headers, body, status } = await api.ask({ path, headers: { 'x-request-id': 'My-request_1.~' } })
    expect(headers['x-request-id']).toBe('My-request_1.~')
    if (status >= 400) expect(JSON.parse(body)).toMatchObject({ request_id: 'My-request_1.~' })
  }
})

describe('with a store in memory', () => {
  let api: Api
  beforeAll(async () => {
    const given = { key: Buffer.from(contractKey), issuer: 'network_system', now: () => new Date() }
    api = await startApi({ config: contractConfig, tokens: await createTokenCheck(given) })
  })
  afterAll(() => api[Symbol.asyncDispose]())

  apiContract(() => api.ask, 100)
})

test('large answers that their clients do not take hold so much memory together, and then others are told to come again', async () => {
  await using api = await startApi({ mostAnswers: 10e6 })
  // More than the kernel takes for a client that reads nothing.
  const large = JSON.stringify('x'.repeat(9e6))
  expect((await put(api, large)).status).toBe(201)
  await put(api, '1', {}, '/v1/records/users/bob')
  for (const path of [at, '/v1/records/users']) {
    // What was sent before may still be held for a moment.
    const slow = await eventually(async () => {
      const socket = connect(api.port, '127.0.0.1')
      socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)
      const [first] = (await once(socket, 'data')) as [Buffer]
      socket.pause()
      if (first.toString('latin1').startsWith('HTTP/1.1 200')) return socket
      socket.destroy()
      throw new Error(first.toString('latin1'))
    })
    for (const again of [at, '/v1/records/users']) {
      const refused = await api.ask({ path: again })
      expect(refused.status).toBe(503)
      expect(refused.headers).toMatchObject({ 'retry-after': '1', 'content-type': problemType })
      expect(refused.headers.etag).toBeUndefined()
      expect(JSON.parse(refused.body)).toMatchObject({ detail: 'too many large answers are being sent: try again' })
    }
    expect(await api.ask({ path: '/v1/records/users/bob' })).toMatchObject({ status: 200, body: '1' })
    slow.destroy()
    await eventually(async () => expect(await api.ask({ path: at })).toMatchObject({ status: 200, body: large }))
  }
})

test('one large answer at a time is sent whatever its length is', async () => {
  await using api = await startApi({ mostAnswers: 1000 })
  const large = JSON.stringify('x'.repeat(1e6))
  await put(api, large)
  for (let count = 0; count < 3; count += 1)
    expect(await api.ask({ path: at })).toMatchObject({ status: 200, body: large })
})
