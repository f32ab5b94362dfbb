import { expect, test } from 'vitest'
import { works } from '../../../src/procedures/works.ts'
import { procedures } from '../../../src/procedures/list.ts'

const names = (all: readonly { readonly name: string }[]) => all.map(({ name }) => name).toSorted()

test.each([
  ['procedures', names(procedures)],
  ['works', names(works)],
])('no two %s have one name', (_, all) => {
  expect(all.length).toBeGreaterThan(3)
  expect(all).toEqual([...new Set(all)])
})
