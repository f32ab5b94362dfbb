import { describe, expect, test } from 'vitest'
import { inOrder, inService, nextSequence } from '../../../../src/procedures/deploy/history.ts'
import { recordOf, releaseOf } from '../../../support/activation.ts'

const counted = (id: string, sequence: number, letter = 'a') => ({ ...recordOf(id, '1.0.0', letter), sequence })
const unread = [{ code: 'damaged', message: 'x is damaged', hint: 'put it aside' }] as const

describe('the history of a host', () => {
  test('is in the order of its own count; records of old have none and came before', () => {
    const records = [
      counted('2026-01', 4),
      recordOf('2025-12', '1.0.0', 'a'),
      counted('2026-09', 3),
      recordOf('2025-11', '1.0.0', 'a'),
    ]
    expect(inOrder(records).map(({ id }) => id)).toEqual(['2025-11', '2025-12', '2026-09', '2026-01'])
  })

  test('goes on with a number that is larger than all before, also than those that cannot be read', () => {
    expect(nextSequence({ activations: [], unread: [] })).toBe(1)
    expect(nextSequence({ activations: [recordOf('a', '1.0.0', 'a'), recordOf('b', '1.0.0', 'a')], unread: [] })).toBe(
      3,
    )
    expect(nextSequence({ activations: [recordOf('a', '1.0.0', 'a'), counted('b', 7)], unread: [] })).toBe(8)
    expect(nextSequence({ activations: [counted('b', 7)], unread: [...unread, ...unread] })).toBe(10)
  })

  test('says what is in service, unless that may be a record that cannot be read', () => {
    const activations = [counted('a', 1), counted('b', 2, 'b')]
    const place = { current: releaseOf('1.0.0', 'b').id, configSha256: activations[1]?.configSha256 }
    expect(inService({ activations, unread: [] }, { current: 'other', configSha256: 'other' })?.id).toBe('b')
    expect(inService({ activations, unread }, place)?.id).toBe('b')
    expect(inService({ activations, unread }, { ...place, current: 'other' })).toBeUndefined()
    expect(inService({ activations, unread }, { ...place, configSha256: 'other' })).toBeUndefined()
  })
})
