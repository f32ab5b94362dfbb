import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { madeFiles } from '../../scripts/docs.ts'
import { exitCodes } from '../../src/model/errors.ts'

test('docs/exit-codes.md lists each exit code with the name and meaning that the program has for it', async () => {
  const text = await readFile(join(import.meta.dirname, '..', '..', 'docs', 'exit-codes.md'), 'utf8')
  const rows = [...text.matchAll(/^\| (\d+) \| `(.+?)` \| (.+?) \| .+ \|$/gm)].map(([, ...cells]) => cells)
  expect(rows).toEqual(Object.entries(exitCodes).map(([name, { exit, meaning }]) => [String(exit), name, meaning]))
})

const made = await madeFiles()

test.each(Object.keys(made))('%s is what npm run docs makes', async (path) => {
  expect(await readFile(join(import.meta.dirname, '..', '..', path), 'utf8')).toBe(made[path])
})

test('docs/metrics.md names tests that there are', async () => {
  const at = (...path: readonly string[]) => readFile(join(import.meta.dirname, '..', '..', ...path), 'utf8')
  const [text, tests] = [await at('docs', 'metrics.md'), await at('test', 'integration', 'server-metrics.test.ts')]
  const named = [...text.matchAll(/^\| .* \| .* \| (.+) \|$/gm)]
    .map(([, name = '']) => name)
    .filter((name) => name !== 'Test')
  expect(named.length).toBeGreaterThan(15)
  for (const name of named) expect(tests).toContain(`'${name}',`)
})
