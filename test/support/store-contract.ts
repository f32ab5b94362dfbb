// What every store must do, whichever database it is: run with `storeContract` against each driver.
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  mostOfPage,
  type Condition,
  type Store,
  type StoredRecord,
  type Write,
  type WriteOutcome,
} from '../../src/server/store/port.ts'

/**
 * Runs the contract.
 * @param name of the driver
 * @param open a store of the same database each time, with what was left in it; tests use collections of their own
 */
export function storeContract(name: string, open: () => Promise<Store>): void {
  const opened = async (): Promise<Store> => {
    const store = await open()
    onTestFinished(() => store.close())
    return store
  }

  describe(`${name}: a record`, () => {
    it('is not there before it is written, and comes back as it was written', async () => {
      const store = await opened()
      const id = { collection: ownCollection(), key: 'a' }
      expect(await store.get(id)).toBeUndefined()
      const begun = Date.now()
      const { version } = await created(store, { ...id, value: '{"a": 1.0, "ü":"\\u0000 💾"}' })
      const found = await store.get(id)
      expect(found).toEqual({ key: 'a', value: '{"a": 1.0, "ü":"\\u0000 💾"}', version, updatedMs: aNumber })
      // A database on another machine has a clock of its own.
      expect(Math.abs((found?.updatedMs ?? 0) - begun)).toBeLessThan(60_000)
    })

    it('is replaced, deleted and made again, with another version each time, the highest last', async () => {
      const store = await opened()
      const id = { collection: ownCollection(), key: 'a' }
      const first = await created(store, { ...id, value: '1' })
      const second = await store.write(always(id, '2'))
      expect(second).toEqual({ kind: 'replaced', version: aNumber, repeated: false })
      expect(await store.write(always(id, undefined))).toEqual({ kind: 'deleted', repeated: false })
      expect(await store.get(id)).toBeUndefined()
      expect(await store.write(always(id, undefined))).toEqual({ kind: 'missing' })
      const third = await created(store, { ...id, value: '1' })
      const versions = [first.version, versionOf(second), third.version]
      expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b))
      expect((await store.get(id))?.version).toBe(third.version)
    })

    it('gets another version also where the same value is written again', async () => {
      const store = await opened()
      const id = { collection: ownCollection(), key: 'a' }
      const { version } = await created(store, { ...id, value: '1' })
      expect(versionOf(await store.write(always(id, '1')))).toBeGreaterThan(version)
    })

    it('is its collection’s own', async () => {
      const store = await opened()
      const [one, other] = [ownCollection(), ownCollection()]
      await created(store, { collection: one, key: 'a', value: '1' })
      expect(await store.get({ collection: other, key: 'a' })).toBeUndefined()
      expect(await store.write(always({ collection: other, key: 'a' }, undefined))).toEqual({ kind: 'missing' })
      expect((await store.list({ collection: other, prefix: '', after: '', limit: 10 })).records).toEqual([])
    })

    it('may be 1 MB long', async () => {
      const store = await opened()
      const id = { collection: ownCollection(), key: 'a' }
      const value = JSON.stringify('ä'.repeat(2 ** 19))
      await created(store, { ...id, value })
      expect((await store.get(id))?.value).toBe(value)
    })
  })

  describe(`${name}: a condition`, () => {
    const there = { kind: 'replaced', version: aNumber, repeated: false }
    const made = { kind: 'created', version: aNumber, repeated: false }
    const gone = { kind: 'deleted', repeated: false }
    const failed = { kind: 'condition-failed' }
    const missing = { kind: 'missing' }
    type Row = [string, (version: number) => Condition, object, object, object, object]
    const rows: readonly Row[] = [
      // condition; a write where a record is, and where none is; a deletion likewise
      ['always', () => ({ kind: 'always' }), there, made, gone, missing],
      ['absent', () => ({ kind: 'absent' }), failed, made, failed, missing],
      ['present', () => ({ kind: 'present' }), there, failed, gone, failed],
      ['the version', (version) => ({ kind: 'versions', versions: [version] }), there, failed, gone, failed],
      ['one of several', (version) => ({ kind: 'versions', versions: [1, version] }), there, failed, gone, failed],
      ['another version', (version) => ({ kind: 'versions', versions: [version + 1] }), failed, failed, failed, failed],
      ['no version', () => ({ kind: 'versions', versions: [] }), failed, failed, failed, failed],
    ]

    it.each(rows)(
      '“%s” lets pass what it may',
      async (_name, condition, ...[writeThere, writeNew, remove, removeNew]) => {
        const store = await opened()
        const collection = ownCollection()
        const attempt = async (key: string, before: boolean, value: string | undefined) => {
          const id = { collection, key }
          const version = before ? (await created(store, { ...id, value: '0' })).version : 1
          const found = await store.get(id)
          const outcome = await store.write({ ...id, value, condition: condition(version) })
          if (outcome.kind === 'condition-failed') expect(await store.get(id)).toEqual(found)
          else expect((await store.get(id))?.value).toBe(value)
          return outcome
        }
        expect(await attempt('a', true, '1')).toEqual(writeThere)
        expect(await attempt('b', false, '1')).toEqual(writeNew)
        expect(await attempt('c', true, undefined)).toEqual(remove)
        expect(await attempt('d', false, undefined)).toEqual(removeNew)
      },
    )

    it('on a version lets exactly one of many at once pass, in two clients', async () => {
      const stores = [await opened(), await opened()]
      const id = { collection: ownCollection(), key: 'a' }
      let { version } = await created(at(stores, 0), { ...id, value: '0' })
      for (let round = 1; round <= 10; round += 1) {
        const condition: Condition = { kind: 'versions', versions: [version] }
        const outcomes = await Promise.all(
          Array.from({ length: 8 }, (_, n) => at(stores, n).write({ ...id, value: `${round * 10 + n}`, condition })),
        )
        const winners = outcomes.flatMap((outcome, n) => (outcome.kind === 'replaced' ? [{ outcome, n }] : []))
        expect(winners).toHaveLength(1)
        expect(outcomes.filter(({ kind }) => kind === 'condition-failed')).toHaveLength(7)
        const [{ outcome, n } = never()] = winners
        version = outcome.version
        expect(await at(stores, 0).get(id)).toMatchObject({ version, value: `${round * 10 + n}` })
      }
    })

    it('that nothing be there lets exactly one of many at once pass, in two clients', async () => {
      const stores = [await opened(), await opened()]
      const collection = ownCollection()
      for (let round = 1; round <= 10; round += 1) {
        const write = { collection, key: `${round}`, condition: { kind: 'absent' } as const }
        const outcomes = await Promise.all(
          Array.from({ length: 8 }, (_, n) => at(stores, n).write({ ...write, value: `${n}` })),
        )
        expect(outcomes.map(({ kind }) => kind).sort()).toEqual([
          ...Array<string>(7).fill('condition-failed'),
          'created',
        ])
      }
    })
  })

  describe(`${name}: a list`, () => {
    const keysOf = (records: readonly StoredRecord[]) => records.map(({ key }) => key)
    // As bytes of UTF-8, which is another order than that of UTF-16 (the last two), and than that of any language.
    const inOrder = ['-', '.', '10', '9', 'A', 'Z', '_', 'a', 'a-', 'a.b', 'aa', 'ab', 'b', '~', 'é', '\uffee', '💾']

    const filled = async (store: Store, keys: readonly string[]) => {
      const collection = ownCollection()
      // As many at once as a store takes.
      for (let end = keys.length; end > 0; end -= 500) {
        const some = keys.slice(Math.max(0, end - 500), end).reverse()
        await Promise.all(some.map((key) => created(store, { collection, key, value: `"${key}"` })))
      }
      return collection
    }

    it('is in the order of the keys’ bytes, with all of each record', async () => {
      const store = await opened()
      const collection = await filled(store, inOrder)
      const { records, more } = await store.list({ collection, prefix: '', after: '', limit: 100 })
      expect(keysOf(records)).toEqual(inOrder)
      expect(more).toBe(false)
      for (const record of records) expect(await store.get({ collection, key: record.key })).toEqual(record)
    })

    it.each([
      { prefix: 'a', after: '', limit: 10, keys: ['a', 'a-', 'a.b', 'aa', 'ab'], more: false },
      { prefix: 'a', after: 'a.b', limit: 10, keys: ['aa', 'ab'], more: false },
      { prefix: 'a', after: 'a.a', limit: 1, keys: ['a.b'], more: true },
      { prefix: 'a', after: 'A', limit: 2, keys: ['a', 'a-'], more: true },
      { prefix: 'a', after: 'ab', limit: 2, keys: [], more: false },
      { prefix: 'a', after: 'b', limit: 2, keys: [], more: false },
      { prefix: 'none', after: '', limit: 2, keys: [], more: false },
      { prefix: '', after: '_', limit: 3, keys: ['a', 'a-', 'a.b'], more: true },
      { prefix: '', after: '~', limit: 3, keys: ['é', '\uffee', '💾'], more: false },
      { prefix: '%', after: '', limit: 3, keys: [], more: false },
      { prefix: 'é', after: '', limit: 3, keys: ['é'], more: false },
      { prefix: '💾', after: '', limit: 3, keys: ['💾'], more: false },
    ])('begins with “$prefix”, after “$after”, $limit at most', async ({ keys, more, ...request }) => {
      const store = await opened()
      const collection = await filled(store, inOrder)
      const page = await store.list({ collection, ...request })
      expect({ keys: keysOf(page.records), more: page.more }).toEqual({ keys, more })
    })

    it('takes “_” and “%” of a prefix as they are', async () => {
      const store = await opened()
      const collection = await filled(store, ['a_b', 'acb', 'a%b', 'a'])
      expect(keysOf((await store.list({ collection, prefix: 'a_', after: '', limit: 9 })).records)).toEqual(['a_b'])
      expect(keysOf((await store.list({ collection, prefix: 'a%', after: '', limit: 9 })).records)).toEqual(['a%b'])
    })

    it('is walked page by page through 10,000 records, each once', async () => {
      const store = await opened()
      const keys = Array.from({ length: 10_000 }, (_, n) => `key-${String(n).padStart(5, '0')}`)
      const collection = await filled(store, keys)
      expect(await walk(store, collection, 999)).toEqual(keys)
    })

    it('is walked also where one page of that many values would be too large', async () => {
      const store = await opened()
      const collection = ownCollection()
      const keys = Array.from({ length: 24 }, (_, n) => `key-${String(n).padStart(2, '0')}`)
      const value = JSON.stringify('x'.repeat(2 ** 20))
      for (const key of keys) await created(store, { collection, key, value })
      expect(await walk(store, collection, 1000)).toEqual(keys)
      const { records } = await store.list({ collection, prefix: '', after: '', limit: 1000 })
      expect(records).toHaveLength(Math.floor(mostOfPage / value.length))
      // One that is larger by itself comes alone.
      const large = ownCollection()
      for (const key of ['a', 'b'])
        await created(store, { collection: large, key, value: JSON.stringify('x'.repeat(mostOfPage)) })
      expect(await walk(store, large, 1000)).toEqual(['a', 'b'])
      expect(keysOf((await store.list({ collection: large, prefix: '', after: '', limit: 2 })).records)).toEqual(['a'])
    })

    const walk = async (store: Store, collection: string, limit: number) => {
      const found: string[] = []
      for (;;) {
        const { records, more } = await store.list({ collection, prefix: '', after: found.at(-1) ?? '', limit })
        expect(records.length).toBeLessThanOrEqual(limit)
        found.push(...keysOf(records))
        if (!more) return found
        expect(records.length).toBeGreaterThan(0)
      }
    }
  })

  describe(`${name}: an idempotency key`, () => {
    const keyed = (write: Write, request = 'request'): Write => ({
      ...write,
      idempotency: { key: `key of ${write.collection}`, request },
    })

    it('gives the first answer again, and writes once', async () => {
      const store = await opened()
      const id = { collection: ownCollection(), key: 'a' }
      const write = keyed({ ...id, value: '1', condition: { kind: 'absent' } })
      const first = await store.write(write)
      expect(first).toEqual({ kind: 'created', version: aNumber, repeated: false })
      await store.write(always(id, '2'))
      expect(await store.write(write)).toEqual({ ...first, repeated: true })
      expect((await store.get(id))?.value).toBe('2')
    })

    it('gives the first answer again for what was replaced and deleted too', async () => {
      const store = await opened()
      const [one, other] = [ownCollection(), ownCollection()].map((collection) => ({ collection, key: 'a' }))
      if (one === undefined || other === undefined) return never()
      for (const id of [one, other]) await created(store, { ...id, value: '0' })
      const replaced = await store.write(keyed(always(one, '1')))
      expect(await store.write(keyed(always(one, '1')))).toEqual({ ...replaced, repeated: true })
      expect(await store.write(keyed(always(other, undefined)))).toEqual({ kind: 'deleted', repeated: false })
      await created(store, { ...other, value: '2' })
      expect(await store.write(keyed(always(other, undefined)))).toEqual({ kind: 'deleted', repeated: true })
      expect((await store.get(other))?.value).toBe('2')
    })

    it('spares a record that came after there was nothing to delete', async () => {
      const store = await opened()
      const id = { collection: ownCollection(), key: 'a' }
      expect(await store.write(keyed(always(id, undefined)))).toEqual({ kind: 'missing' })
      await created(store, { ...id, value: '1' })
      expect(await store.write(keyed(always(id, undefined)))).toEqual({ kind: 'missing' })
      expect((await store.get(id))?.value).toBe('1')
    })

    it('belongs to its request, and another is refused', async () => {
      const store = await opened()
      const id = { collection: ownCollection(), key: 'a' }
      await store.write(keyed(always(id, '1')))
      expect(await store.write(keyed(always(id, '2'), 'another'))).toEqual({ kind: 'key-reused' })
      expect(await store.write(keyed(always(id, undefined), 'another'))).toEqual({ kind: 'key-reused' })
      expect((await store.get(id))?.value).toBe('1')
    })

    it('is free again where the condition did not hold', async () => {
      const store = await opened()
      const id = { collection: ownCollection(), key: 'a' }
      const write = keyed({ ...id, value: '2', condition: { kind: 'present' } })
      expect(await store.write(write)).toEqual({ kind: 'condition-failed' })
      await created(store, { ...id, value: '1' })
      expect(await store.write(write)).toMatchObject({ kind: 'replaced', repeated: false })
      expect(await store.write(write)).toMatchObject({ kind: 'replaced', repeated: true })
    })

    it('is kept when the store is closed and opened again', async () => {
      const id = { collection: ownCollection(), key: 'a' }
      const before = await open()
      const first = await before.write(keyed(always(id, '1')))
      await before.close()
      const store = await opened()
      expect(await store.write(keyed(always(id, '1')))).toEqual({ ...first, repeated: true })
      expect(await store.write(keyed(always(id, '1'), 'another'))).toEqual({ kind: 'key-reused' })
    })

    it('writes once also where the same request comes many times at once, in two clients', async () => {
      const stores = [await opened(), await opened()]
      for (let round = 1; round <= 5; round += 1) {
        const id = { collection: ownCollection(), key: 'a' }
        const outcomes = await Promise.all(
          Array.from({ length: 8 }, (_, n) => at(stores, n).write(keyed(always(id, '1')))),
        )
        expect(new Set(outcomes.map(versionOf)).size).toBe(1)
        expect(outcomes.map((outcome) => 'repeated' in outcome && outcome.repeated).sort()).toEqual([
          false,
          ...Array<boolean>(7).fill(true),
        ])
      }
    })

    it('lets one of two requests that use it at once pass', async () => {
      const stores = [await opened(), await opened()]
      const id = { collection: ownCollection(), key: 'a' }
      const outcomes = await Promise.all(
        Array.from({ length: 8 }, (_, n) => at(stores, n).write(keyed(always(id, `${n}`), `request ${n}`))),
      )
      expect(outcomes.map(({ kind }) => kind).sort()).toEqual(['created', ...Array<string>(7).fill('key-reused')])
    })
  })

  describe(`${name}: a store`, () => {
    it('has all that was written when it is opened again, and versions go on', async () => {
      const collection = ownCollection()
      const before = await open()
      const versions = await Promise.all(
        Array.from(
          { length: 100 },
          async (_, n) => (await created(before, { collection, key: `${n}`, value: '1' })).version,
        ),
      )
      await before.write(always({ collection, key: '0' }, undefined))
      await before.close()
      const store = await opened()
      expect((await store.list({ collection, prefix: '', after: '', limit: 1000 })).records).toHaveLength(99)
      const { version } = await created(store, { collection, key: '0', value: '1' })
      expect(version).toBeGreaterThan(Math.max(...versions))
    })

    it('says that it is well', async () => {
      const store = await opened()
      await store.verify()
      await Promise.all([store.verify(), store.verify()])
    })

    it('keeps the order of what one client writes to a record one after the other', async () => {
      const stores = [await opened(), await opened()]
      const id = { collection: ownCollection(), key: 'a' }
      for (let n = 0; n < 50; n += 1) {
        await at(stores, n).write(always(id, `${n}`))
        expect((await at(stores, n + 1).get(id))?.value).toBe(`${n}`)
      }
    })
  })
}

const aNumber = expect.any(Number) as number

let collections = 0
/** A collection that no other test uses, also not one of an earlier run. */
const ownCollection = (): string => `c${process.pid}-${Date.now()}-${(collections += 1)}`

const always = (id: { collection: string; key: string }, value: string | undefined): Write => ({
  ...id,
  value,
  condition: { kind: 'always' },
})

async function created(store: Store, write: { collection: string; key: string; value: string }) {
  const outcome = await store.write({ ...write, condition: { kind: 'absent' } })
  if (outcome.kind !== 'created') throw new Error(`${write.key} was not created: ${outcome.kind}`)
  expect(outcome.repeated).toBe(false)
  return outcome
}

const versionOf = (outcome: WriteOutcome): number => ('version' in outcome ? outcome.version : never())

const at = (stores: readonly Store[], n: number): Store => stores[n % stores.length] ?? never()

const never = (): never => {
  throw new Error('this cannot be')
}
