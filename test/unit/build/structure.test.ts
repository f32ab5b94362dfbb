// The shape of the code: no circle of files, thin commands, and no file too long to read.
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { expect, test } from 'vitest'

const top = join(import.meta.dirname, '../../..')

async function sources(): Promise<ReadonlyMap<string, string>> {
  const entries = await readdir(join(top, 'src'), { recursive: true, withFileTypes: true })
  const files = entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.d.ts'))
    .map((entry) => relative(top, join(entry.parentPath, entry.name)))
  return new Map(await Promise.all(files.map(async (file) => [file, await readFile(join(top, file), 'utf8')] as const)))
}

/** The files that a file imports: also lazily, also for types alone. */
const importsOf = (file: string, text: string): readonly string[] =>
  [...text.matchAll(/(?:from\s+|import\s+|import\(\s*)'(\.{1,2}\/[^']+\.ts)'/g)].map(([, path = '']) =>
    relative(top, resolve(top, dirname(file), path)),
  )

/** Groups of files that reach each other (Tarjan's strongly connected components, of more than one file). */
function circlesIn(graph: ReadonlyMap<string, readonly string[]>): readonly (readonly string[])[] {
  const [index, low] = [new Map<string, number>(), new Map<string, number>()]
  const stack: string[] = []
  const circles: string[][] = []
  const visit = (file: string): number => {
    const at = index.size
    index.set(file, at)
    low.set(file, at)
    stack.push(file)
    for (const next of graph.get(file) ?? []) {
      const reached = !index.has(next) ? visit(next) : stack.includes(next) ? (index.get(next) ?? at) : at
      low.set(file, Math.min(low.get(file) ?? at, reached))
    }
    if (low.get(file) === at) {
      const circle = stack.splice(stack.indexOf(file))
      if (circle.length > 1) circles.push(circle)
    }
    return low.get(file) ?? at
  }
  for (const file of graph.keys()) if (!index.has(file)) visit(file)
  return circles
}

test('a circle is found where there is one', () => {
  const graph = new Map([
    ['a', ['b']],
    ['b', ['c', 'd']],
    ['c', ['a']],
    ['d', []],
  ])
  expect(circlesIn(graph).map((circle) => circle.toSorted())).toEqual([['a', 'b', 'c']])
})

test('no file reaches itself by its imports', async () => {
  const files = await sources()
  expect(files.size).toBeGreaterThan(100)
  const graph = new Map([...files].map(([file, text]) => [file, importsOf(file, text)] as const))
  expect(graph.get('src/cli/main.ts')).toContain('src/cli/run-cli.ts')
  expect(circlesIn(graph)).toEqual([])
})

test('text reaches a terminal by one way alone', async () => {
  const ways = [...(await sources())].filter(
    ([file, text]) =>
      file.startsWith('src/cli/') && /process\.(?:stdout|stderr)\.write|console\.|stderr: 'inherit'/.test(text),
  )
  // Besides src/cli/terminal/printer.ts: the version, what a live view draws (rendered there), and the end of the process.
  expect(ways.map(([file]) => file).sort()).toEqual([
    'src/cli/main.ts',
    'src/cli/run-cli.ts',
    'src/cli/terminal/spinner.ts',
  ])
})

const linesOf = (text: string): number => text.split('\n').length - 1

test('a command is at most 120 lines, any file at most 400', async () => {
  const long = [...(await sources())].filter(
    ([file, text]) => linesOf(text) > (file.startsWith('src/cli/commands/') ? 120 : 400),
  )
  expect(long.map(([file, text]) => `${file}: ${linesOf(text)}`)).toEqual([])
})
