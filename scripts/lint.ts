// Lint for `npm run check`: what was clean is looked at again only when something changed that its types may hang on.
// ESLint's own cache looks at each file alone, and would miss a promise that floats since another file returns one.
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import * as z from 'zod'
import { exec } from '../src/system/exec.ts'
import { readTextIfAny, sha256OfText, writeFileAtomic } from '../src/system/files.ts'

const top = join(import.meta.dirname, '..')

// What every file hangs on: the rules, the packages, and the compiler's settings.
const common = ['eslint.config.ts', 'package.json', 'package-lock.json', 'tsconfig.json']

const cleanSchema = z.record(z.string(), z.string())

/** The project's own TypeScript files, with their texts. */
async function sources(): Promise<ReadonlyMap<string, string>> {
  const folders = await Promise.all(
    ['src', 'scripts', 'test'].map((name) => readdir(join(top, name), { recursive: true, withFileTypes: true })),
  )
  const below = folders.flat().filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
  const paths = [
    ...['eslint.config.ts', 'vitest.config.ts'],
    ...below.map((entry) => relative(top, join(entry.parentPath, entry.name))),
  ]
  return new Map(await Promise.all(paths.map(async (path) => [path, await readFile(join(top, path), 'utf8')] as const)))
}

/** The files of the project that a text names, wherever it does so: a name too many only costs time. */
const namedIn = (path: string, text: string): readonly string[] =>
  [...text.matchAll(/['"](\.{1,2}\/[^'"\n]+\.ts)['"]/g)].map(([, name = '']) =>
    relative(top, resolve(top, dirname(path), name)),
  )

/** For each file a hash of itself and of all that it imports, however far away; `base` is what all of them hang on. */
export function keysOf(files: ReadonlyMap<string, string>, base: string): ReadonlyMap<string, string> {
  const hashes = new Map([...files].map(([path, text]) => [path, sha256OfText(text)] as const))
  const imports = new Map([...files].map(([path, text]) => [path, namedIn(path, text)] as const))
  const keyOf = (path: string): string => {
    const reached = new Set([path])
    for (const each of reached) for (const next of imports.get(each) ?? []) reached.add(next)
    const lines = [...reached].sort().map((each) => `${each} ${hashes.get(each) ?? 'is not there'}`)
    return sha256OfText([base, ...lines].join('\n'))
  }
  return new Map([...files.keys()].map((path) => [path, keyOf(path)] as const))
}

/** What was clean the last time, by path. */
async function cleanBefore(cache: string): Promise<Readonly<Record<string, string>>> {
  const text = await readTextIfAny(cache)
  if (text === undefined) return {}
  try {
    return cleanSchema.parse(JSON.parse(text))
  } catch {
    // A cache that cannot be read is as good as none.
    return {}
  }
}

/**
 * Lints what changed.
 * @param cache where it is kept what was clean
 * @returns whether all is clean, and what ESLint said
 */
export async function lint(cache: string): Promise<{ readonly code: number | undefined; readonly output: string }> {
  const files = await sources()
  const shared = await Promise.all(common.map((name) => readFile(join(top, name), 'utf8')))
  // These reach files that do not import them.
  const ambient = [...files].filter(
    ([path, text]) => path.endsWith('.d.ts') || /\bdeclare (?:module|global)\b/.test(text),
  )
  const keys = keysOf(files, sha256OfText(JSON.stringify([process.version, shared, ambient])))
  const before = await cleanBefore(cache)
  const changed = [...keys].filter(([path, key]) => before[path] !== key).map(([path]) => path)
  if (changed.length === 0) return { code: 0, output: '' }
  const eslint = join(top, 'node_modules/eslint/bin/eslint.js')
  const argv = [process.execPath, '--disable-warning=ExperimentalWarning', eslint, '--max-warnings=0', ...changed]
  const { code, stdout, stderr } = await exec(argv, { cwd: top, env: { NO_COLOR: '1', FORCE_COLOR: undefined } })
  if (code === 0) await writeFileAtomic(cache, JSON.stringify(Object.fromEntries(keys)))
  return { code, output: `${stdout}${stderr}` }
}
