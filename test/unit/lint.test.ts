import { expect, test } from 'vitest'
import { keysOf } from '../../scripts/lint.ts'

const files: Readonly<Record<string, string>> = {
  'src/a.ts': "import { b } from './deep/b.ts'\nb()",
  'src/deep/b.ts': "export { c as b } from '../c.ts'",
  'src/c.ts': "export type C = import('./d.ts').D\nexport const c = () => import('./a.ts')",
  'src/d.ts': 'export type D = number',
  'src/e.ts': 'export const e = 1',
}

/** Which files are linted again when some have other texts, or are gone. */
function again(changes: Readonly<Record<string, string | undefined>>, base = 'base'): readonly string[] {
  const now = Object.entries({ ...files, ...changes }).flatMap(([path, text]) =>
    text === undefined ? [] : [[path, text] as const],
  )
  const before = keysOf(new Map(Object.entries(files)), 'base')
  return [...keysOf(new Map(now), base)].filter(([path, key]) => before.get(path) !== key).map(([path]) => path)
}

test.each([
  ['nothing changed', {}, []],
  ['a file that nobody imports changed', { 'src/e.ts': 'export const e = 2' }, ['src/e.ts']],
  [
    'a type far away changed',
    { 'src/d.ts': 'export type D = string' },
    ['src/a.ts', 'src/deep/b.ts', 'src/c.ts', 'src/d.ts'],
  ],
  ['a file is gone', { 'src/d.ts': undefined }, ['src/a.ts', 'src/deep/b.ts', 'src/c.ts']],
])('where %s, all that may hang on it is linted again, and nothing else', (_, changes, expected) => {
  expect(again(changes)).toEqual(expected)
})

test('where the rules or the packages changed, everything is', () => {
  expect(again({}, 'other')).toEqual(Object.keys(files))
})
