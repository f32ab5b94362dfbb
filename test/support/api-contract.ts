// What the HTTP interface must do, whichever store keeps the records and however requests come in: run against all of them.
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Asked, Told } from './api.ts'
import { makeToken } from './json-web-token.ts'
import { compare, operations } from './records-model.ts'
import { samples } from './samples.ts'

/** The key that tokens of the contract are signed with. */
export const contractKey = 'a key for tokens of the contract, long enough'

/** What the server that is asked must be configured with, beside where it listens and where its records are. */
export const contractConfig = [
  `auth: { jwt_secret: "${contractKey}" }`,
  'performance: { max_request_size: 64KiB }',
  '',
].join('\n')

export type Ask = (asked: Asked) => Promise<Told>

/**
 * Runs the contract in the block of tests that calls it.
 * @param asker asks the server of that block; there is one for all of the contract's tests, which use collections of their own
 * @param sequences how many sequences of requests are compared with the store in memory
 */
export function apiContract(asker: () => Ask, sequences: number): void {
  const as = (sub: string) => ({ authorization: `Bearer ${makeToken({ key: contractKey, claims: { sub } })}` })
  const bare: Ask = (asked) => asker()(asked)
  const ask: Ask = ({ headers, ...asked }) => bare({ ...asked, headers: { ...as('ada'), ...headers } })
  const json = { 'content-type': 'application/json' }
  const put = (path: string, body: string | Uint8Array, headers: Asked['headers'] = {}) =>
    ask({ method: 'PUT', path, body, headers: { ...json, ...headers } })
  const remove = (path: string, headers: Asked['headers'] = {}) => ask({ method: 'DELETE', path, headers })
  const etagOf = ({ headers }: Told): string => headers.etag ?? ''
  const detailOf = ({ body }: Told): string => (JSON.parse(body) as { readonly detail: string }).detail

  it('a record comes back byte by byte as it was written, with its ETag and the time', async () => {
    const path = `${ownCollection()}/ada`
    const value = ' { "b": 1.00, "a": ["ä\\u0000\\ud800", 12345678901234567890], "a": null }\n'
    const made = await put(path, value)
    expect(made).toMatchObject({ status: 201, headers: { 'content-type': 'application/json; charset=utf-8' } })
    expect(etagOf(made)).toMatch(/^"[1-9]\d*"$/)
    expect(JSON.parse(made.body)).toEqual({ key: 'ada', etag: etagOf(made) })
    const got = await ask({ path })
    expect(got).toMatchObject({ status: 200, body: value })
    expect(got.headers).toMatchObject({
      etag: etagOf(made),
      'cache-control': 'no-cache',
      'content-type': 'application/json; charset=utf-8',
    })
    expect(Math.abs(Date.parse(got.headers['last-modified'] ?? '') - Date.now())).toBeLessThan(60_000)
    const head = await ask({ method: 'HEAD', path })
    expect(head).toMatchObject({ status: 200, body: '', headers: { etag: etagOf(made) } })
    expect(head.headers['content-length']).toBe(String(Buffer.byteLength(value)))
    const replaced = await put(path, '2')
    expect(replaced.status).toBe(200)
    expect(etagOf(replaced)).not.toBe(etagOf(made))
    expect(await ask({ path, headers: { 'if-none-match': etagOf(made) } })).toMatchObject({ status: 200, body: '2' })
    expect(await ask({ path, headers: { 'if-none-match': etagOf(replaced) } })).toMatchObject({ status: 304, body: '' })
    expect(await remove(path)).toMatchObject({ status: 204, body: '' })
    for (const gone of [await ask({ path }), await remove(path)]) {
      expect(gone.status).toBe(404)
      expect(JSON.parse(gone.body)).toMatchObject({ title: 'Not Found', detail: 'there is no record of this key' })
    }
  })

  it('of writers that read the same version one wins, and none of their writes is lost', async () => {
    const path = `${ownCollection()}/counter`
    await put(path, '0')
    const counted = async (): Promise<void> => {
      for (;;) {
        const read = await ask({ path })
        const { status } = await put(path, String(Number(read.body) + 1), { 'if-match': etagOf(read) })
        if (status === 200) return
        expect(status).toBe(412)
      }
    }
    await Promise.all(Array.from({ length: 8 }, counted))
    expect(await ask({ path })).toMatchObject({ body: '8' })
  })

  it('a collection is read page by page in the order of bytes, also while it changes', async () => {
    const path = ownCollection()
    const keys = ['a', 'a-1', 'a.1', 'a1', 'b', 'B', '~', 'a~']
    for (const key of keys) await put(`${path}/${key}`, `{"of":"${key}"}`)
    await put(`${ownCollection()}/a`, '1')
    const ordered = [...keys].sort()
    const page = async (query: string) => {
      const { status, body } = await ask({ path: `${path}?${query}` })
      expect(status).toBe(200)
      return JSON.parse(body) as { items: { key: string; etag: string; value: unknown }[]; next?: string }
    }
    expect((await page('')).items.map(({ key }) => key)).toEqual(ordered)
    expect((await page('prefix=a')).items.map(({ key }) => key)).toEqual(ordered.filter((key) => key.startsWith('a')))
    expect((await page('prefix=a&limit=1')).items[0]).toEqual({
      ...{ key: 'a', etag: etagOf(await ask({ path: `${path}/a` })), value: { of: 'a' } },
      updated: expect.stringMatching(/^\d{4}-.*Z$/) as string,
    })
    const seen: string[] = []
    let next: string | undefined = ''
    while (next !== undefined) {
      const found = await page(`limit=3${next === '' ? '' : `&cursor=${next}`}`)
      seen.push(...found.items.map(({ key }) => key))
      next = found.next
      // What lies before the cursor is not read again, and the record that it names may be gone.
      await remove(`${path}/${seen.at(-1) ?? ''}`)
    }
    expect(seen).toEqual(ordered)
    expect(await page('')).toEqual({ items: expect.any(Array) as unknown[] })
    expect(await ask({ path: ownCollection() })).toMatchObject({ status: 200, body: '{"items":[]}' })
  })

  it('a write that is sent again with its key is answered as before, and done once', async () => {
    const path = `${ownCollection()}/ada`
    const key = (number: number) => ({ 'idempotency-key': `${path}-${number}` })
    const first = await put(path, '1', key(1))
    expect(first.status).toBe(201)
    expect(first.headers).not.toHaveProperty('idempotency-replayed')
    await put(path, '2')
    const again = await put(path, '1', key(1))
    expect(again).toMatchObject({ status: 201, body: first.body })
    expect(again.headers).toMatchObject({ etag: etagOf(first), 'idempotency-replayed': 'true' })
    expect(await ask({ path })).toMatchObject({ body: '2' })
    expect(await remove(path, key(2))).toMatchObject({ status: 204 })
    expect(await remove(path, key(2))).toMatchObject({ status: 204, headers: { 'idempotency-replayed': 'true' } })
    // What did nothing is nothing to remember: the same request may succeed later.
    const late = { ...key(3), 'if-match': '*' }
    expect(await put(path, '1', late)).toMatchObject({ status: 412 })
    await put(path, '3')
    expect(await put(path, '1', late)).toMatchObject({ status: 200 })
  })

  it('an idempotency key that comes with another request is refused', async () => {
    const [path, other] = [ownCollection(), ownCollection()]
    const key = { 'idempotency-key': path }
    await put(`${path}/ada`, '1', key)
    const refused = [
      await put(`${path}/ada`, '2', key),
      await put(`${path}/eve`, '1', key),
      await put(`${other}/ada`, '1', key),
      await put(`${path}/ada`, '1', { ...key, 'if-match': '*' }),
      await remove(`${path}/ada`, key),
    ]
    expect(refused.map(({ status }) => status)).toEqual([422, 422, 422, 422, 422])
    expect(await ask({ path: `${path}/ada` })).toMatchObject({ body: '1' })
  })

  it('idempotency keys belong to the token’s sub, and nobody has a record without a token', async () => {
    const path = `${ownCollection()}/ada`
    const by = (sub: string) => ({ ...as(sub), 'idempotency-key': path })
    expect(await put(path, '1', by('ada'))).toMatchObject({ status: 201 })
    expect(await put(path, '2', by('eve'))).toMatchObject({ status: 200 })
    expect(await put(path, '3', by('ada'))).toMatchObject({ status: 422 })
    expect(await put(path, '1', by('ada'))).toMatchObject({ status: 201, headers: { 'idempotency-replayed': 'true' } })
    for (const [method, body] of [['GET'], ['PUT', '4'], ['DELETE']] as const) {
      const refused = await bare({ method, path, ...(body === undefined ? {} : { body, headers: json }) })
      expect(refused).toMatchObject({ status: 401, headers: { 'www-authenticate': 'Bearer error="invalid_token"' } })
    }
    expect(await ask({ path })).toMatchObject({ status: 200, body: '2' })
  })

  it('what cannot be is refused with its reason and the request’s name, and nothing is written', async () => {
    const path = `${ownCollection()}/ada`
    const id = { 'x-request-id': 'My-request_1.~' }
    const refused = [
      await put(path, '{"a":', id),
      await put(path, '{}', { ...id, 'if-match': '7' }),
      await put(path, '{}', { ...id, 'if-match': '*' }),
      await put(path, `"${'x'.repeat(64 * 1024)}"`, id),
      await put(path, '{}', { ...id, 'content-type': 'text/plain' }),
      await put(`${path}%2fb`, '{}', id),
      await ask({ path: `${ownCollection()}?limit=0`, headers: id }),
      await ask({ method: 'POST', path, headers: id }),
    ]
    expect(refused.map(({ status }) => status)).toEqual([400, 400, 412, 413, 415, 400, 400, 405])
    for (const one of refused) {
      expect(one.headers['content-type']).toMatch(/^application\/problem\+json\b/)
      expect(one.headers['x-request-id']).toBe('My-request_1.~')
      expect(JSON.parse(one.body)).toMatchObject({ status: one.status, request_id: 'My-request_1.~' })
      expect(detailOf(one)).not.toBe('')
    }
    expect(await ask({ path })).toMatchObject({ status: 404 })
  })

  it('whatever is asked in whatever order is answered as the store in memory does', async () => {
    const property = fc.asyncProperty(operations, (all) => compare(ask, ownCollection().split('/').at(-1) ?? '', all))
    await fc.assert(property, samples(sequences))
  })
}

let collections = 0
/** The address of a collection that no other test uses, also where several files share a database. */
const ownCollection = (): string => `/v1/records/contract-${process.pid}-${(collections += 1)}`
