// Which beat a replica must show before it may answer for what was written.
import { expect, it } from 'vitest'
import { createFreshness } from '../../../../src/server/store/postgres/freshness.ts'

const lagMs = 3000

function fresh() {
  let nowMs = 0
  const freshness = createFreshness(lagMs, () => nowMs)
  const beat = () => {
    const one = freshness.begin()
    one.written()
    return one.number
  }
  return { freshness, beat, pass: (ms: number) => (nowMs += ms) }
}

it('sends every read to the master before there is a beat', () => {
  const { freshness, beat } = fresh()
  expect(freshness.needed('a')).toBeUndefined()
  expect(freshness.needed('a')).toBe(freshness.oldest())
  expect(beat()).toBe(freshness.needed('a'))
})

it('sends reads of what was written to the master until a beat that was begun after the write is there', () => {
  const { freshness, beat } = fresh()
  beat()
  const begunBefore = freshness.begin()
  freshness.wrote('a', 'list')
  begunBefore.written()
  expect([freshness.needed('a'), freshness.needed('list')]).toEqual([undefined, undefined])
  expect(freshness.needed('b')).toBe(1)
  const number = beat()
  expect([freshness.needed('a'), freshness.needed('list'), freshness.needed('b')]).toEqual([number, number, 1])
})

it('takes a beat that may not have come for none: what it covered waits for the next one', () => {
  const { freshness, beat } = fresh()
  beat()
  freshness.wrote('a')
  freshness.begin().failed()
  expect(freshness.needed('a')).toBeUndefined()
  expect(beat()).toBe(freshness.needed('a'))
})

it('keeps to the newest write of a name, whichever beat comes first', () => {
  const { freshness } = fresh()
  freshness.wrote('a')
  const first = freshness.begin()
  freshness.wrote('a')
  const second = freshness.begin()
  second.written()
  first.written()
  expect(freshness.needed('a')).toBe(second.number)
  first.failed()
  expect(freshness.needed('a')).toBe(second.number)
})

it('wants of all replicas what is as old as the lag, and never less than before', () => {
  const { freshness, beat, pass } = fresh()
  const first = beat()
  pass(lagMs - 1)
  const second = beat()
  expect(freshness.oldest()).toBe(first)
  pass(lagMs)
  beat()
  expect(freshness.oldest()).toBe(second)
  // While the master is away nothing gets older.
  pass(10 * lagMs)
  expect(freshness.oldest()).toBe(second)
  expect(freshness.needed('a')).toBe(second)
})

it('wants no more for a write than for all others once every replica must have it', () => {
  const { freshness, beat, pass } = fresh()
  beat()
  freshness.wrote('a')
  const covering = beat()
  expect(freshness.needed('a')).toBe(covering)
  pass(lagMs)
  const later = beat()
  pass(lagMs)
  beat()
  expect(freshness.needed('a')).toBe(later)
  expect(freshness.oldest()).toBe(later)
})
