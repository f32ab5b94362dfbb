import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { fitsPattern } from '../../../src/model/pattern.ts'

describe('a pattern of names', () => {
  test.each([
    ['web1', 'web1', true],
    ['web1', 'web11', false],
    ['web*', 'web11', true],
    ['web?', 'web1', true],
    ['web?', 'web11', false],
    ['*.example.com', 'a.b.example.com', true],
    ['*.example.com', 'example.com', false],
    ['10.0.0.*', '10.0.0.5', true],
    ['10.0.0.*', '10x0x0x5', false],
    ['*', '', true],
    ['?', '', false],
    ['a*b*c', 'abxbxc', true],
    ['a*b*c', 'abxbx', false],
    ['[a]', 'a', false],
  ])('%s and %s: %s', (pattern, name, fits) => expect(fitsPattern(pattern, name)).toBe(fits))

  it('fits what a regular expression of the same meaning fits', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 8 })
    const name = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 8 })
    fc.assert(
      fc.property(word, name, (pattern, given) => {
        const meaning = new RegExp(`^${pattern.replaceAll('*', '.*').replaceAll('?', '.')}$`)
        expect(fitsPattern(pattern, given)).toBe(meaning.test(given))
      }),
      { numRuns: 2000 },
    )
  })

  // A regular expression would try every way to share the name among the stars: more of them than could ever be tried.
  it('with many stars is answered at once', () =>
    expect(fitsPattern(`${'*a'.repeat(20)}b`, 'a'.repeat(63))).toBe(false))
})
