import { createServer, request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { guard, type GuardRules } from '../../../src/server/guard.ts'
import { atWork } from '../../support/standing.ts'

interface Answer {
  readonly status: number | undefined
  readonly body: string
  readonly headers: IncomingHttpHeaders
}

/** What a guarded handler that answers everything with `in` answers on a plain connection. */
async function answer(rules: GuardRules, path: string, method = 'GET'): Promise<Answer> {
  const server = createServer(guard(rules, (_request, response) => response.end('in')))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const options = { port, host: '127.0.0.1', path, method, agent: false, headers: { authorization: 'Bearer x' } }
    request(options, resolve).on('error', reject).end()
  })
  let body = ''
  for await (const chunk of response) body += String(chunk)
  await new Promise((resolve) => server.close(resolve))
  return { status: response.statusCode, body, headers: response.headers }
}

const letIn = { status: 200, body: 'in' }
const roomy: GuardRules['places'] = { full: () => false, admit: () => true }
const closed: GuardRules = { places: roomy, standing: atWork, tlsPort: undefined, tokens: () => undefined }

test.each(['/', '/health', '/x'])('everything is answered without rules: %s', async (path) => {
  expect(await answer({ places: roomy, standing: atWork, tlsPort: undefined, tokens: undefined }, path)).toMatchObject(
    letIn,
  )
})

test.each(['/health', '/health/live', '/health/ready', '/health?x=1'])('health needs no token: %s', async (path) => {
  expect(await answer(closed, path)).toMatchObject(letIn)
  expect(await answer({ ...closed, tlsPort: 1 }, path)).toMatchObject(letIn)
})

test.each([
  ['GET', '/'],
  ['GET', '/health/'],
  ['GET', '/health/x'],
  ['GET', '/healthy'],
  ['GET', '/%68ealth'],
  ['GET', '//health'],
  ['GET', '/x/../health'],
  ['GET', '/x?/health'],
  ['GET', '/health;x'],
  ['GET', '/%zz'],
  ['POST', '/health'],
  ['OPTIONS', '/health'],
  ['GET', 'http://x/health'],
])('everything else needs one: %s %s', async (method, path) => {
  const refused = await answer(closed, path, method)
  expect(refused).toMatchObject({
    status: 401,
    headers: { 'www-authenticate': 'Bearer error="invalid_token"', 'content-type': 'application/problem+json' },
  })
  expect(JSON.parse(refused.body)).toEqual({
    ...{ type: 'about:blank', title: 'Unauthorized', status: 401, detail: 'a valid token is required' },
    request_id: refused.headers['x-request-id'],
  })
})

test('the header that the check gets is the request’s own, and a good one lets in', async () => {
  const caller = { subject: 'x' }
  const known = (authorization: string | undefined) => (authorization === 'Bearer x' ? caller : undefined)
  const looked = (authorization: string | undefined) => Promise.resolve(known(authorization))
  for (const tokens of [known, looked]) {
    expect(await answer({ places: roomy, standing: atWork, tlsPort: undefined, tokens }, '/x')).toMatchObject(letIn)
  }
})

test('without TLS the answer names its port, and no token is looked at', async () => {
  const tokens = () => Promise.reject(new Error('must not be asked'))
  const { status, body, headers } = await answer({ places: roomy, standing: atWork, tlsPort: 8443, tokens }, '/x')
  expect(status).toBe(403)
  expect(JSON.parse(body)).toMatchObject({ status: 403, detail: 'TLS is required: use https on port 8443' })
  expect(headers).not.toHaveProperty('location')
})

test('without a place to spare health is answered on a connection that ends with it, and nothing else', async () => {
  const rules: GuardRules = { ...closed, places: { full: () => true, admit: () => false } }
  expect(await answer(rules, '/health')).toMatchObject({ ...letIn, headers: { connection: 'close' } })
  const refused = await answer(rules, '/x')
  expect(refused).toMatchObject({ status: 503, headers: { connection: 'close', 'retry-after': '1' } })
  expect(JSON.parse(refused.body)).toMatchObject({ detail: 'all connections are in use: try again' })
})

test('in maintenance everything but health is told when to come again, and no token is looked at', async () => {
  const tokens = () => Promise.reject(new Error('must not be asked'))
  const rules = { ...closed, tokens, standing: { ...atWork, maintenance: () => true } }
  for (const path of ['/health', '/health/live', '/health/ready']) {
    expect(await answer(rules, path)).toMatchObject(letIn)
  }
  for (const [path, method] of [['/x', 'GET'] as const, ['/x', 'PUT'] as const, ['/health', 'POST'] as const]) {
    const { status, body, headers } = await answer(rules, path, method)
    expect(status).toBe(503)
    expect(headers).toMatchObject({ 'retry-after': '30', connection: 'close' })
    expect(JSON.parse(body)).toMatchObject({ status: 503, reason: 'maintenance' })
  }
})

test('a standby answers reads, and tells of the primary to writes whose token is good, and to nobody else', async () => {
  const role = () => ({ kind: 'standby', primary: 'https://db1:8443' }) as const
  const open = { ...closed, tokens: undefined, standing: { ...atWork, role } }
  expect(await answer(open, '/x')).toMatchObject(letIn)
  const { status, body, headers } = await answer(open, '/x', 'PUT')
  expect(status).toBe(503)
  expect(headers).toMatchObject({ 'retry-after': '5', 'content-type': 'application/problem+json' })
  expect(JSON.parse(body)).toMatchObject({ status: 503, reason: 'standby', primary: 'https://db1:8443' })
  const refused = await answer({ ...open, tokens: closed.tokens }, '/x', 'PUT')
  expect(refused.status).toBe(401)
  expect(refused.body).not.toContain('db1')
})
