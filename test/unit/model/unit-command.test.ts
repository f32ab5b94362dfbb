import fc from 'fast-check'
import { expect, it } from 'vitest'
import { commandOfUnit, unitCommand } from '../../../src/model/unit-command.ts'

it('a command stands in a unit as systemd reads it', () => {
  expect(unitCommand(['/bin/x', '--a=b c', '100%', '$HOME', 'a"b\\c'])).toBe(
    '/bin/x "--a=b c" "100%%" "$$HOME" "a\\"b\\\\c"',
  )
})

it('and is read back as it was, whatever its words are', () => {
  const word = fc.string({
    minLength: 1,
    unit: fc.constantFrom('a', 'Z', '0', ' ', '"', '\\', '%', '$', "'", '=', '/', ';', 'é'),
  })
  fc.assert(
    fc.property(fc.array(word, { minLength: 1 }), (argv) => {
      expect(commandOfUnit(`[Service]\nExecStart=${unitCommand(argv)}\nRestart=always\n`)).toEqual(argv)
    }),
  )
})

it('a text without one has none', () => {
  expect(commandOfUnit('[Service]\n')).toBeUndefined()
})
