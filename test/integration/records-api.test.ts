// The records through the executable: over HTTP and HTTPS, with tokens, and by a client that a public generator made from
// the server's own description.
import { mkdir, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { request as requestOverTls } from 'node:https'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { createClient } from '@hey-api/openapi-ts'
import { build } from 'esbuild'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { makeCertificate } from '../support/certificates.ts'
import { makeToken } from '../support/json-web-token.ts'
import { here, startReady, useServers } from '../support/server-process.ts'

useServers()

const key = 'a key for tokens of the tests, long enough'
const token = () => makeToken({ key, claims: { sub: 'ada' } })
const config = (security = '') =>
  [
    `server: { host: 127.0.0.1, port: ${here.ports.server}, tls_port: ${here.ports.tls} }`,
    `metrics: { port: ${here.ports.metrics} }`,
    `security: { auth: token${security} }`,
    `auth: { jwt_secret: "${key}" }`,
    '',
  ].join('\n')

// What somebody writes who has the generated client and nothing else. Checked against its types before it runs.
const usage = `
import { client } from './client.gen'
import { deleteRecord, getRecord, listRecords, putRecord } from './sdk.gen'

export async function use(baseUrl: string, auth: string) {
  client.setConfig({ baseUrl, auth })
  const path = { collection: 'people', key: 'ada' }
  const refused = await putRecord({ path, body: { born: 1815 }, auth: 'none' })
  const once = { 'Idempotency-Key': 'first', 'If-None-Match': '*' } as const
  const made = await putRecord({ path, body: { born: 1815 }, headers: once })
  const again = await putRecord({ path, body: { born: 1815 }, headers: once })
  const etag: string | undefined = made.data?.etag
  const raced = await putRecord({ path, body: 1, headers: { 'If-Match': '"999999"' } })
  const changed = await putRecord({ path, body: { born: 1815, died: 1852 }, headers: { 'If-Match': etag } })
  const got = await getRecord({ path })
  const unchanged = await getRecord({ path, headers: { 'If-None-Match': changed.data?.etag } })
  for (const key of ['b', 'c']) await putRecord({ path: { ...path, key }, body: [key] })
  const keys: string[] = []
  let cursor: string | undefined
  do {
    const page = await listRecords({ path, query: { limit: 2, ...(cursor === undefined ? {} : { cursor }) } })
    keys.push(...(page.data?.items ?? []).map((item) => item.key))
    cursor = page.data?.next
  } while (cursor !== undefined)
  const deleted = await deleteRecord({ path })
  const gone = await getRecord({ path })
  const detail: string | undefined = gone.error?.detail
  return {
    statuses: [refused, made, again, raced, changed, got, unchanged, deleted, gone].map((one) => one.response?.status),
    replayed: again.response?.headers.get('idempotency-replayed'),
    value: got.data,
    keys,
    detail,
  }
}
`

interface Used {
  readonly statuses: readonly number[]
  readonly replayed: string | null
  readonly value: unknown
  readonly keys: readonly string[]
  readonly detail: string
}

/** Makes a client from a description, checks what uses it by its types, and gives it to be run. */
async function generated(description: unknown): Promise<(baseUrl: string, token: string) => Promise<Used>> {
  const folder = join(here.root, 'client')
  await mkdir(folder)
  await createClient({
    input: description as never,
    output: { path: folder, postProcess: [] },
    plugins: ['@hey-api/client-fetch', '@hey-api/typescript', '@hey-api/sdk'],
    logs: { level: 'silent', file: false },
  })
  const file = join(folder, 'usage.ts')
  await writeFile(file, usage)
  const program = ts.createProgram([file], {
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    lib: ['lib.es2023.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
    types: [],
    strict: true,
    noEmit: true,
    skipLibCheck: true,
  })
  const faults = ts
    .getPreEmitDiagnostics(program)
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
  expect(faults).toEqual([])
  const script = join(folder, 'usage.mjs')
  await build({
    entryPoints: [file],
    outfile: script,
    bundle: true,
    format: 'esm',
    platform: 'node',
    logLevel: 'error',
  })
  const { use } = (await import(/* @vite-ignore */ pathToFileURL(script).href)) as { use: never }
  return use
}

describe('the records', () => {
  it('are there for a client that was generated from /openapi.json', async () => {
    await startReady({ config: config() })
    const base = `http://127.0.0.1:${here.ports.server}`
    const described = await fetch(`${base}/openapi.json`, { headers: { authorization: `Bearer ${token()}` } })
    expect(described.status).toBe(200)
    const use = await generated(await described.json())
    expect(await use(base, token())).toEqual({
      statuses: [401, 201, 201, 412, 200, 200, 304, 204, 404],
      replayed: 'true',
      value: { born: 1815, died: 1852 },
      keys: ['ada', 'b', 'c'],
      detail: 'there is no record of this key',
    })
  })

  it('are the same over TLS, and after a restart; and nobody has them without a token', async () => {
    const pair = makeCertificate(join(here.root, 'tls'), 'server')
    const security = ', ssl_enabled: true, require_tls: true, cert_file: /tls/server.crt, key_file: /tls/server.key'
    const first = await startReady({ config: config(security) })
    const ca = readFileSync(pair.cert)
    const send = (method: string, headers: Readonly<Record<string, string>>, body?: string, overTls = true) =>
      new Promise<readonly [number | undefined, string, string | undefined]>((resolve, reject) => {
        const path = '/v1/records/people/ada'
        const options = {
          host: '127.0.0.1',
          path,
          method,
          headers: { 'content-type': 'application/json', ...headers },
          agent: false,
        }
        const sent = overTls
          ? requestOverTls({ ...options, port: here.ports.tls, ca })
          : request({ ...options, port: here.ports.server })
        sent.on('response', (response) => {
          let text = ''
          response.on('data', (chunk: Buffer) => (text += chunk.toString()))
          response.on('end', () => resolve([response.statusCode, text, response.headers.etag]))
        })
        sent.on('error', reject)
        sent.end(body)
      })
    const good = { authorization: `Bearer ${token()}` }
    const value = '{ "born": 1815.0 }'
    const [status, , etag] = await send('PUT', good, value)
    expect(status).toBe(201)
    expect(await send('GET', good)).toEqual([200, value, etag])
    expect((await send('GET', {}))[0]).toBe(401)
    expect((await send('GET', good, undefined, false))[0]).toBe(403)
    first.child.kill('SIGKILL')
    await first.exit
    await startReady({ config: config(security) })
    expect(await send('GET', good)).toEqual([200, value, etag])
    expect((await send('DELETE', { ...good, 'if-match': etag ?? '' }))[0]).toBe(204)
  })
})
