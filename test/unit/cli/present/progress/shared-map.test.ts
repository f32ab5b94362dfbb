import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SharedMap } from '../../../../../src/cli/present/progress/shared-map.ts'
import { samples } from '../../../../support/samples.ts'

const names = ['a', 'b', 'c', 'd', 'e']
const contentOf = (map: Pick<SharedMap<number>, 'get' | 'size'> & { values(): Iterable<number> }): unknown => ({
  size: map.size,
  values: [...map.values()],
  byName: names.map((name) => map.get(name)),
})

describe('a shared map', () => {
  test('keeps each version as it was, whatever was made of it and whichever is read', () => {
    const change = fc.record({
      from: fc.nat(),
      key: fc.constantFrom(...names),
      value: fc.integer(),
      read: fc.nat(),
    })
    fc.assert(
      fc.property(fc.array(change, { maxLength: 40 }), (changes) => {
        const versions = [{ shared: SharedMap.empty<number>(), model: new Map<string, number>() }]
        const pick = (n: number) => versions[n % versions.length] ?? never()
        for (const { from, key, value, read } of changes) {
          const { shared, model } = pick(from)
          versions.push({ shared: shared.with(key, value), model: new Map(model).set(key, value) })
          const seen = pick(read)
          expect(contentOf(seen.shared)).toEqual(contentOf(seen.model))
        }
        for (const { shared, model } of versions.toReversed()) expect(contentOf(shared)).toEqual(contentOf(model))
      }),
      samples(100),
    )
  })
})

const never = (): never => {
  throw new Error('there is no version')
}
