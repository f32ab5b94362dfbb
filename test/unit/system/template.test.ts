import { expect, test } from 'vitest'
import { render } from '../../../src/system/template.ts'

test('a template is filled in, each name wherever it stands, and values are not read as templates', () => {
  expect(render('{{a}}-{{b}}-{{a}}', { a: '$1 {{b}}', b: '2' })).toBe('$1 {{b}}-2-$1 {{b}}')
})
test('a name without a value and a value without a name are defects', () => {
  expect(() => render('{{a}}', {})).toThrow('{{a}}')
  expect(() => render('', { b: '2' })).toThrow('b')
})
