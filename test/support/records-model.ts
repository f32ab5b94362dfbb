// Any sequence of requests for records, and what a server must answer: judged by the store in memory.
import fc from 'fast-check'
import { expect } from 'vitest'
import type { Condition, RecordId, WriteOutcome } from '../../src/server/store/port.ts'
import type { Asked, Told } from './api.ts'
import { memoryStore } from './memory-store.ts'

const keys = ['a', 'a-1', 'a.b', 'b', 'B', '~']
const values = ['1', '{"a": 1.0}', ' [] ', '"\\u0000ä"']

/** An ETag that was told by an answer before, by its number from the last one on. */
const told = fc.nat(6)
const condition = fc.oneof(
  { weight: 3, arbitrary: fc.constant('always' as const) },
  fc.constantFrom('absent' as const, 'present' as const),
  fc.record({ etags: fc.array(told, { minLength: 1, maxLength: 2 }) }),
)
const operation = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('put' as const),
      key: fc.constantFrom(...keys),
      value: fc.constantFrom(...values),
      condition,
      again: fc.option(fc.constantFrom('k1', 'k2', 'k3'), { freq: 2 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('delete' as const),
      key: fc.constantFrom(...keys),
      condition,
      again: fc.option(fc.constantFrom('k1', 'k2', 'k3'), { freq: 2 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('get' as const), key: fc.constantFrom(...keys), since: fc.option(told) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('list' as const),
      prefix: fc.constantFrom('', 'a', 'a.', 'x'),
      limit: fc.integer({ min: 1, max: 4 }),
    }),
  },
)
export const operations = fc.array(operation, { minLength: 5, maxLength: 40, size: 'max' })
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never
type Write = Extract<Operation, { readonly kind: 'put' | 'delete' }>

/**
 * Asks a server for each operation in turn, and expects of each what the store in memory does.
 * @param collection one that nobody has used yet
 */
export async function compare(
  ask: (asked: Asked) => Promise<Told>,
  collection: string,
  all: readonly Operation[],
): Promise<void> {
  const model = memoryStore()
  // The same writes, as either side counts them: their numbers need not be equal.
  const versions: { readonly etag: string; readonly version: number }[] = []
  const pick = (back: number) => versions[Math.max(0, versions.length - 1 - back)]
  const at = (key: string): string => `/v1/records/${collection}/${key}`
  const etagOf = (version: number): string => versions.find((one) => one.version === version)?.etag ?? 'unknown'

  const write = async (operation: Write): Promise<void> => {
    const { headers, condition } = conditionFor(operation.condition, pick)
    const again = operation.again === null ? undefined : `${collection}-${operation.again}`
    const id: RecordId = { collection, key: operation.key }
    const value = operation.kind === 'put' ? operation.value : undefined
    const idempotency =
      again === undefined ? undefined : { key: again, request: JSON.stringify([value, id, condition]) }
    const outcome = await model.write({ ...id, value, condition, idempotency })
    const answer = await ask({
      ...{ method: operation.kind.toUpperCase(), path: at(operation.key) },
      headers: {
        ...(value === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
        ...(again === undefined ? {} : { 'idempotency-key': again }),
      },
      ...(value === undefined ? {} : { body: value }),
    })
    expect([operation, answer.status]).toEqual([operation, statuses[outcome.kind]])
    expect(answer.headers['idempotency-replayed']).toBe('repeated' in outcome && outcome.repeated ? 'true' : undefined)
    if (!('version' in outcome)) return
    const { etag = '' } = answer.headers
    if (outcome.repeated) expect(etag).toBe(etagOf(outcome.version))
    else {
      expect(versions.map((one) => one.etag)).not.toContain(etag)
      versions.push({ etag, version: outcome.version })
    }
  }
  const read = async (key: string, since: number | null): Promise<void> => {
    const record = await model.get({ collection, key })
    const known = since === null ? undefined : pick(since)?.etag
    const answer = await ask({ path: at(key), headers: known === undefined ? {} : { 'if-none-match': known } })
    const etag = record === undefined ? undefined : etagOf(record.version)
    const unchanged = etag !== undefined && etag === known
    expect([key, answer.status, answer.headers.etag]).toEqual([
      key,
      record === undefined ? 404 : unchanged ? 304 : 200,
      etag,
    ])
    if (record !== undefined) expect(answer.body).toBe(unchanged ? '' : record.value)
  }
  const list = async (prefix: string, limit: number): Promise<void> => {
    const { records } = await model.list({ collection, prefix, after: '', limit: 1000 })
    const found: unknown[] = []
    let next: string | undefined
    do {
      const cursor = next === undefined ? '' : `&cursor=${next}`
      const { body } = await ask({ path: `/v1/records/${collection}?prefix=${prefix}&limit=${limit}${cursor}` })
      const page = JSON.parse(body) as { items: { key: string; etag: string; value: unknown }[]; next?: string }
      expect(page.items.length).toBeLessThanOrEqual(limit)
      found.push(...page.items.map(({ key, etag, value }) => ({ key, etag, value })))
      next = page.next
    } while (next !== undefined)
    expect(found).toEqual(
      records.map(({ key, version, value }) => ({ key, etag: etagOf(version), value: JSON.parse(value) as unknown })),
    )
  }

  for (const operation of all) {
    if (operation.kind === 'get') await read(operation.key, operation.since)
    else if (operation.kind === 'list') await list(operation.prefix, operation.limit)
    else await write(operation)
  }
}

const statuses: Readonly<Record<WriteOutcome['kind'], number>> = {
  ...{ created: 201, replaced: 200, deleted: 204, missing: 404 },
  ...{ 'condition-failed': 412, 'key-reused': 422 },
}

interface Known {
  readonly etag: string
  readonly version: number
}

function conditionFor(
  given: Write['condition'],
  pick: (back: number) => Known | undefined,
): { readonly headers: Readonly<Record<string, string>>; readonly condition: Condition } {
  if (given === 'always') return { headers: {}, condition: { kind: 'always' } }
  if (given === 'absent') return { headers: { 'if-none-match': '*' }, condition: { kind: 'absent' } }
  if (given === 'present') return { headers: { 'if-match': '*' }, condition: { kind: 'present' } }
  const known = given.etags.map((back) => pick(back) ?? { etag: '"999999999"', version: 999_999_999 })
  return {
    headers: { 'if-match': known.map(({ etag }) => etag).join(', ') },
    condition: { kind: 'versions', versions: [...new Set(known.map(({ version }) => version))] },
  }
}
