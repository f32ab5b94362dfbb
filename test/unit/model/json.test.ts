import { expect, test } from 'vitest'
import { canonicalJson, parseJson } from '../../../src/model/json.ts'
import { sha256OfText } from '../../../src/system/files.ts'

test.each([
  ['{"a":[1,null]}', { a: [1, null] }],
  ['null', null],
  ['', undefined],
  ['{"a":', undefined],
  ['<html>', undefined],
])('what %j holds', (text, value) => {
  expect(parseJson(text)).toEqual(value)
})

test('equal values have one text, in whatever order their fields were written', () => {
  const one = { b: [{ d: 1, c: '2' }, null], a: undefined, e: {} }
  const other = { e: {}, b: [{ c: '2', d: 1 }, null] }
  expect(canonicalJson(one)).toBe('{"b":[{"c":"2","d":1},null],"e":{}}')
  expect(canonicalJson(other)).toBe(canonicalJson(one))
  expect(canonicalJson({ ...other, b: [null, { c: '2', d: 1 }] })).not.toBe(canonicalJson(one))
})

test('the text by which the plans of earlier journals were hashed stays what it is', () => {
  const plan = {
    title: 'Deploy',
    steps: [
      { id: 'b', act: [] },
      { id: 'a', retry: undefined, act: [{ 10: 1, 9: 2 }] },
    ],
  }
  expect(sha256OfText(canonicalJson(plan))).toBe('a47be18d42183171e7320c0058caca83fb9770597b53a812cc08272af56a28a5')
})
