import { Validator } from '@seriousme/openapi-schema-validator'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { expect, test } from 'vitest'
import { openApiOf } from '../../../src/server/openapi.ts'
import { createTokenCheck } from '../../../src/server/tokens.ts'
import { startApi, type Asked } from '../../support/api.ts'
import { makeToken } from '../../support/json-web-token.ts'

interface Schema {
  readonly [name: string]: unknown
}
interface Answer {
  readonly headers?: Readonly<Record<string, unknown>>
  readonly content?: Readonly<Record<string, { readonly schema: Schema }>>
}
interface Operation {
  readonly operationId: string
  readonly responses: Readonly<Record<string, Answer | { readonly $ref: string }>>
}
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: {
    readonly responses: Readonly<Record<string, Answer>>
    readonly schemas: Readonly<Record<string, Schema>>
  }
}

const facts = { version: '1.2.3', tokens: true, maxRequestSize: 1000 }

test.each([true, false])('the description of the API is valid OpenAPI 3.1 (with tokens: %s)', async (tokens) => {
  const document = openApiOf({ ...facts, tokens })
  expect(await new Validator().validate(structuredClone(document) as Parameters<Validator['validate']>[0])).toEqual({
    valid: true,
  })
  expect(document).toMatchObject({ openapi: '3.1.0', info: { version: '1.2.3' } })
  expect('security' in document).toBe(tokens)
})

test('says of names, limits and headers what the server checks', () => {
  const { paths } = openApiOf(facts) as unknown as {
    readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly parameters: readonly unknown[] }>>>>
  }
  const { get } = paths['/v1/records/{collection}'] ?? {}
  expect(get?.parameters).toContainEqual({
    ...{ name: 'limit', in: 'query', required: false, description: expect.any(String) as string },
    schema: { type: 'integer', minimum: 1, maximum: 1000, default: 100 },
  })
  expect(JSON.stringify(paths)).toContain('"pattern":"^(?!\\\\.{1,2}$)[A-Za-z0-9._~-]{1,200}$"')
})

const key = 'k'.repeat(32)
const good = { authorization: `Bearer ${makeToken({ key })}` }
const at = '/v1/records/users/ada'
const json = { 'content-type': 'application/json', ...good }

interface Expected extends Asked {
  readonly of: string
  readonly status: number
  readonly down?: true
}

const written: Expected = {
  ...{ of: 'putRecord', status: 201, method: 'PUT', path: at },
  ...{ headers: { ...json, 'idempotency-key': 'k' }, body: '{"a":1}' },
}
/** Requests that have each of the answers that the document names. */
const asked: readonly Expected[] = [
  written,
  written,
  {
    of: 'putRecord',
    status: 422,
    method: 'PUT',
    path: at,
    headers: { ...json, 'idempotency-key': 'k' },
    body: '{"a":2}',
  },
  { of: 'putRecord', status: 200, method: 'PUT', path: at, headers: json, body: '[1]' },
  { of: 'putRecord', status: 400, method: 'PUT', path: at, headers: json, body: '[' },
  { of: 'putRecord', status: 401, method: 'PUT', path: at, headers: { 'content-type': 'application/json' }, body: '1' },
  { of: 'putRecord', status: 412, method: 'PUT', path: at, headers: { ...json, 'if-none-match': '*' }, body: '1' },
  { of: 'putRecord', status: 413, method: 'PUT', path: at, headers: json, body: `"${'x'.repeat(1000)}"` },
  { of: 'putRecord', status: 415, method: 'PUT', path: at, headers: good, body: '1' },
  { of: 'putRecord', status: 503, method: 'PUT', path: at, headers: json, body: '1', down: true },
  { of: 'getRecord', status: 200, path: at, headers: good },
  { of: 'getRecord', status: 304, path: at, headers: { ...good, 'if-none-match': '"2"' } },
  { of: 'getRecord', status: 400, path: '/v1/records/a/..', headers: good },
  { of: 'getRecord', status: 401, path: at },
  { of: 'getRecord', status: 404, path: '/v1/records/a/b', headers: good },
  { of: 'getRecord', status: 412, path: at, headers: { ...good, 'if-match': '"1"' } },
  { of: 'getRecord', status: 503, path: at, headers: good, down: true },
  { of: 'listRecords', status: 200, path: '/v1/records/users?limit=1', headers: good },
  { of: 'listRecords', status: 400, path: '/v1/records/users?limit=0', headers: good },
  { of: 'listRecords', status: 401, path: '/v1/records/users' },
  { of: 'listRecords', status: 503, path: '/v1/records/users', headers: good, down: true },
  { of: 'deleteRecord', status: 204, method: 'DELETE', path: at, headers: good },
  { of: 'deleteRecord', status: 404, method: 'DELETE', path: at, headers: good },
  { of: 'deleteRecord', status: 400, method: 'DELETE', path: at, headers: { ...good, 'if-match': '1' } },
  { of: 'deleteRecord', status: 401, method: 'DELETE', path: at },
  { of: 'deleteRecord', status: 412, method: 'DELETE', path: at, headers: { ...good, 'if-match': '*' } },
  {
    of: 'deleteRecord',
    status: 413,
    method: 'DELETE',
    path: at,
    headers: { ...good, 'content-length': '1001' },
    body: 'x'.repeat(1001),
  },
  { of: 'deleteRecord', status: 415, method: 'DELETE', path: at, headers: { ...good, 'content-encoding': 'gzip' } },
  { of: 'deleteRecord', status: 422, method: 'DELETE', path: at, headers: { ...good, 'idempotency-key': 'k' } },
  { of: 'deleteRecord', status: 503, method: 'DELETE', path: at, headers: good, down: true },
]

test('every answer is one that the description names, and looks as it says', async () => {
  const tokens = await createTokenCheck({ key: Buffer.from(key), issuer: 'network_system', now: () => new Date() })
  await using api = await startApi({ tokens, config: 'performance: { max_request_size: 1000B }' })
  const served = await api.ask({ path: '/openapi.json', headers: good })
  expect(served.status).toBe(200)
  const document = JSON.parse(served.body) as Document
  const operations = Object.values(document.paths).flatMap((path) =>
    Object.values(path).filter((one) => 'operationId' in one),
  )
  const answerOf = (id: string, status: number): Answer => {
    const found = operations.find(({ operationId }) => operationId === id)?.responses[status]
    if (found === undefined) throw new Error(`${id} has no answer ${status}`)
    if (!('$ref' in found)) return found
    return document.components.responses[(found as { $ref: string }).$ref.split('/').at(-1) ?? ''] ?? {}
  }
  const ajv = new Ajv2020({ strict: false, validateFormats: false })
  const unnamed = [
    'date',
    'connection',
    'keep-alive',
    'content-length',
    'content-type',
    'cache-control',
    'transfer-encoding',
  ]

  for (const { of, status, down, ...request } of asked) {
    api.store.fail(down === true ? 'it is restarted' : undefined)
    const answer = await api.ask(request)
    expect([of, answer.status, answer.status === status ? '' : answer.body]).toEqual([of, status, ''])
    const { headers = {}, content = {} } = answerOf(of, status)
    const named = Object.keys(headers).map((name) => name.toLowerCase())
    expect(named).toEqual(expect.arrayContaining(Object.keys(answer.headers).filter((name) => !unnamed.includes(name))))
    const type = answer.headers['content-type']?.split(';')[0]
    const schema = type === undefined ? undefined : content[type]?.schema
    if (type === undefined) expect(content).toEqual({})
    else {
      expect(schema).toBeDefined()
      // What the parts of the document refer to stands in no other.
      const part = document.components.schemas[String(schema?.$ref).replace('#/components/schemas/', '')]
      expect(part).toBeDefined()
      expect([ajv.validate(part ?? false, JSON.parse(answer.body)), ajv.errors]).toEqual([true, null])
    }
  }
  // 403 is for plain connections where TLS is required, which is tried with the executable.
  const tried = new Set(asked.map(({ of, status }) => `${of} ${status}`))
  const documented = operations.flatMap(({ operationId, responses }) =>
    Object.keys(responses).map((status) => `${operationId} ${status}`),
  )
  expect(documented.filter((one) => !tried.has(one) && !one.endsWith(' 403'))).toEqual([])
})
