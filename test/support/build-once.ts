// Before the integration and lab tests: the executables they run, built only when something that goes into them changed.
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { planBuild, runBuild } from '../../src/build/build.ts'
import { ownCheckout, readCommit } from '../../src/build/checkout.ts'
import type { ExecutableName } from '../../src/model/manifest.ts'
import { systemCode } from '../../src/model/errors.ts'
import { listIfAny } from '../../src/system/files.ts'

/** Absolute paths of built executables; beside each server lies its manifest.json. */
interface Builds {
  readonly netops: string
  /** network_server 1.0.0. */
  readonly server1: string
  /** network_server 1.1.0. */
  readonly server2: string
}

declare module 'vitest' {
  interface ProvidedContext {
    builds: Builds
  }
}

const cache = join(ownCheckout, 'node_modules', '.cache', 'netops-test')

/** Called by vitest: `inject('builds')` in a test then gives the paths. */
export async function setup(project: TestProject): Promise<void> {
  project.provide('builds', await buildOnce())
}

async function buildOnce(): Promise<Builds> {
  const folder = join(cache, await stampOf(ownCheckout))
  if (await isThere(folder)) {
    const now = new Date()
    await utimes(folder, now, now)
  } else {
    await make(folder)
  }
  await removeOld()
  return {
    netops: join(folder, 'netops', 'netops'),
    server1: join(folder, 'server-1.0.0', 'network_server'),
    server2: join(folder, 'server-1.1.0', 'network_server'),
  }
}

/** Names what goes into the executables: the commit, and the content of each file that a build reads. */
async function stampOf(checkout: string): Promise<string> {
  const hash = createHash('sha256').update(await readCommit(checkout))
  for (const name of ['src', 'templates']) {
    const entries = await readdir(join(checkout, name), { recursive: true, withFileTypes: true })
    const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
    for (const file of files.sort()) hash.update(`\0${file}\0`).update(await readFile(file))
  }
  for (const name of ['package.json', 'package-lock.json']) hash.update(await readFile(join(checkout, name)))
  return hash.digest('hex').slice(0, 16)
}

async function make(folder: string): Promise<void> {
  await mkdir(cache, { recursive: true })
  const work = await mkdtemp(join(cache, 'making-'))
  const options = { signal: new AbortController().signal, progress: (line: string) => console.error(line) }
  const build = async (name: ExecutableName, version: string, out: string): Promise<void> => {
    const request = { checkout: ownCheckout, names: [name], version, out: join(work, out) }
    await runBuild(await planBuild(request), options)
  }
  try {
    await Promise.all([build('netops', '1.1.0', 'netops'), build('network_server', '1.0.0', 'server-1.0.0')])
    await build('network_server', '1.1.0', 'server-1.1.0')
    await rename(work, folder)
  } catch (thrown) {
    await rm(work, { recursive: true, force: true })
    // Another test run made the same at the same time, which is as good.
    if (systemCode(thrown) !== 'ENOTEMPTY') throw thrown
  }
}

// The newest few stay, and whatever is younger than the longest run: another run may be using it.
const longestRunMs = 2 * 3_600_000
async function removeOld(): Promise<void> {
  const folders = await Promise.all(
    (await listIfAny(cache)).map(async (name) => ({ name, at: (await stat(join(cache, name))).mtimeMs })),
  )
  const old = folders
    .sort((a, b) => b.at - a.at)
    .slice(3)
    .filter(({ at }) => Date.now() - at > longestRunMs)
  await Promise.all(old.map(({ name }) => rm(join(cache, name), { recursive: true, force: true })))
}

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )
