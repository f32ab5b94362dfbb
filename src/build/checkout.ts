// What a build starts from: the checkout's version and commit, its templates, and the pinned Node of this platform.
import { access, constants, readdir, readFile, realpath } from 'node:fs/promises'
import { join, relative, resolve, sep } from 'node:path'
import { pathToFileURL } from 'node:url'
import * as z from 'zod'
import { NetopsError, systemCode } from '../model/errors.ts'
import { semver } from '../model/manifest.ts'
import { releaseTraits, type ReleaseTraits } from '../model/release-traits.ts'
import { exec, execText } from '../system/exec.ts'
import { isFile } from '../system/files.ts'

/** The checkout that this file belongs to. */
export const ownCheckout = resolve(import.meta.dirname, '..', '..')

const packageFile = z.object({ version: semver, optionalDependencies: z.record(z.string(), z.string()).default({}) })

/** What the build needs of package.json: the version, and the exact versions of the pinned Node packages. */
export async function readPackage(checkout: string): Promise<z.infer<typeof packageFile>> {
  return packageFile.parse(JSON.parse(await readFile(join(checkout, 'package.json'), 'utf8')))
}

/**
 * The commit that a build is of: the full hash, `-dirty` after it when tracked files differ from it, and `unknown`
 * where the checkout is not the top of a git work tree with a commit.
 */
export async function readCommit(checkout: string): Promise<string> {
  // A build may run as another user than the one who cloned; reading a commit's name runs nothing of the repository's.
  const git = (...args: string[]) =>
    exec(['git', '-c', 'safe.directory=*', '-c', 'core.fsmonitor=false', '-C', checkout, ...args])
  const top = await git('rev-parse', '--show-toplevel', 'HEAD').catch(() => undefined) // no git on this machine
  if (top?.code !== 0) return 'unknown'
  const [folder, commit] = top.stdout.trim().split('\n')
  if (folder === undefined || commit === undefined || (await realpath(checkout)) !== folder) return 'unknown'
  const changes = await git('status', '--porcelain', '--untracked-files=no')
  return changes.code === 0 && changes.stdout === '' ? commit : `${commit}-dirty`
}

export interface PinnedNode {
  readonly file: string
  readonly version: string
}

/**
 * The Node that goes into executables for this platform.
 * @throws NetopsError `failed` when it is not installed or is another version than package.json names
 */
export async function findPinnedNode(checkout: string, pins: Readonly<Record<string, string>>): Promise<PinnedNode> {
  const name = `node-${process.platform}-${process.arch}`
  const file = join(checkout, 'node_modules', name, 'bin', 'node')
  const hint = `install the packages that package-lock.json names: run 'npm ci' in ${checkout}`
  const version = pins[name]
  if (version === undefined) {
    throw new NetopsError('failed', { message: `no Node is pinned for ${process.platform}-${process.arch}` })
  }
  const missing = await access(file, constants.X_OK).then(
    () => undefined,
    (cause: unknown) => cause,
  )
  if (missing !== undefined) {
    throw new NetopsError('failed', { message: `the pinned Node ${version} is not at ${file}`, hint, cause: missing })
  }
  const found = (await execText([file, '--version'], { timeoutMs: 30_000 })).trim()
  if (found !== `v${version}`) {
    throw new NetopsError('failed', { message: `${file} is Node ${found}, package.json pins ${version}`, hint })
  }
  return { file, version }
}

/**
 * The files of templates/ as assets of an executable: key (`templates/a/b`) to path, in the order of the keys'
 * code units, because the order is part of the bytes. A checkout without templates/ has none.
 */
export async function listTemplates(checkout: string): Promise<ReadonlyMap<string, string>> {
  const folder = join(checkout, 'templates')
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch((thrown: unknown) => {
    if (systemCode(thrown) === 'ENOENT') return []
    throw thrown
  })
  return new Map(
    entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path): [string, string] => [relative(checkout, path).split(sep).join('/'), path])
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  )
}

const traitsSource = z.object({ ownTraits: releaseTraits })

/** What a checkout's source says of the release that it becomes; undefined for one from before it said anything. */
export async function readTraits(checkout: string): Promise<ReleaseTraits | undefined> {
  const source = join(checkout, 'src', 'model', 'release-traits.ts')
  if (!(await isFile(source))) return undefined
  // The Node that builds reads TypeScript as it stands.
  return traitsSource.parse(await import(pathToFileURL(source).href)).ownTraits
}
