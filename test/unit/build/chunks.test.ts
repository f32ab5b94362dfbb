// The loader that a joined bundle carries, run as Node runs an embedded script: one function with Node's own require.
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { joinChunks, type Chunk } from '../../../src/build/chunks.ts'

async function run(...chunks: Chunk[]): Promise<unknown[]> {
  const said: unknown[] = []
  const host = (name: string) => ({ sep: `from host: ${name}` })
  const script = await joinChunks('const place = "here";', './main.js', chunks)
  const start = runInNewContext(`(function (require, say) {${script}\n})`) as (...given: unknown[]) => void
  start(host, (word: unknown) => said.push(word))
  await new Promise(setImmediate)
  return said
}

const chunk = (name: string, code: string): Chunk => ({ name: `./${name}.js`, code })

test('a chunk is evaluated when it is imported, once, and what nobody imports never is', async () => {
  const said = await run(
    chunk(
      'main',
      "import { a } from './a.js'; say('main ' + a); void import('./late.js').then(({ late }) => say(late))",
    ),
    chunk('a', "say('a'); export const a = 1"),
    chunk('late', "import { a } from './a.js'; say('late'); export const late = a + 1"),
    chunk('never', "say('never')"),
  )
  expect(said).toEqual(['a', 'main 1', 'late', 2])
})

test('chunks see the prelude and modules of Node, and bindings stay live', async () => {
  const said = await run(
    chunk(
      'main',
      "import { sep } from 'node:path'; import { n, up } from './n.js'; up(); say(place); say(sep); say(n)",
    ),
    chunk('n', 'export let n = 0; export const up = () => { n++ }'),
  )
  expect(said).toEqual(['here', 'from host: node:path', 1])
})

test('the order in which chunks are given changes nothing', async () => {
  const chunks = [chunk('main', "import './a.js'"), chunk('a', ''), chunk('b', '')]
  expect(await joinChunks('', './main.js', chunks.toReversed())).toBe(await joinChunks('', './main.js', chunks))
})
