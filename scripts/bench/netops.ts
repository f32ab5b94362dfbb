// The executables that benchmarks start.
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { planBuild, runBuild } from '../../src/build/build.ts'
import { findPinnedNode, ownCheckout, readPackage } from '../../src/build/checkout.ts'
import type { ExecutableName } from '../../src/model/manifest.ts'

/** The built netops, built now where it is missing or older than something that it is made of. */
export const freshNetops = (): Promise<string> => fresh('netops')

/** The same of the server. */
export const freshServer = (): Promise<string> => fresh('network_server')

async function fresh(name: ExecutableName): Promise<string> {
  const out = join(ownCheckout, 'build')
  const file = join(out, name)
  const builtAt = (await stat(file).catch(() => undefined))?.mtimeMs ?? 0 // not there: older than everything
  const folders = ['src', 'templates'].map((name) => join(ownCheckout, name))
  const listed = await Promise.all(folders.map((path) => readdir(path, { recursive: true, withFileTypes: true })))
  const files = listed.flat().map((entry) => join(entry.parentPath, entry.name))
  const all = [...files, join(ownCheckout, 'package.json'), join(ownCheckout, 'package-lock.json')]
  const times = await Promise.all(all.map(async (path) => (await stat(path)).mtimeMs))
  if (Math.max(...times) < builtAt) return file
  console.error(`building ${name}, because a source is newer`)
  const plan = await planBuild({ checkout: ownCheckout, names: [name], out })
  await runBuild(plan, { signal: new AbortController().signal, progress: (line) => console.error(line) })
  return file
}

export const pinnedNode = async () => findPinnedNode(ownCheckout, (await readPackage(ownCheckout)).optionalDependencies)
