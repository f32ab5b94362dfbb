// `netops build`: plans what to build from a checkout, makes it in a work folder, puts it in place only when all is well.
import { mkdir, mkdtemp, open, readdir, readFile, rename, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { availableParallelism, freemem } from 'node:os'
import { join } from 'node:path'
import { messageOf, NetopsError, systemCode } from '../model/errors.ts'
import {
  buildManifest,
  type BuildManifest,
  type BuiltExecutable,
  type ExecutableName,
  manifestSchema,
} from '../model/manifest.ts'
import { formatBytes } from '../model/units.ts'
import { syncFolder } from '../system/files.ts'
import { findPinnedNode, listTemplates, readCommit, readPackage, readTraits } from './checkout.ts'
import {
  blobCommand,
  entries,
  type ExecutablePlan,
  type Finished,
  injectCommand,
  makeExecutable,
  type MakeOptions,
  settled,
} from './executable.ts'

export interface BuildRequest {
  /** The folder with package.json, src/ and node_modules/. */
  readonly checkout: string
  readonly names: readonly ExecutableName[]
  /** The folder to put the executables and manifest.json into; absolute. */
  readonly out: string
  /** Without one it is package.json's. */
  readonly version?: string | undefined
}

export interface BuildPlan {
  readonly out: string
  readonly executables: readonly ExecutablePlan[]
}

export interface BuildReport {
  /** What this build made; the manifest may hold more. */
  readonly executables: readonly BuiltExecutable[]
  readonly manifest: string
  /** What each phase of each executable took, in milliseconds. */
  readonly phases: Readonly<Record<string, Readonly<Record<string, number>>>>
}

/**
 * Decides what a build will make, changing nothing.
 * @throws NetopsError `failed` without the pinned Node
 */
export async function planBuild(request: BuildRequest): Promise<BuildPlan> {
  const { checkout, out } = request
  const packageFile = await readPackage(checkout)
  const [node, commit, assets, traits] = await Promise.all([
    findPinnedNode(checkout, packageFile.optionalDependencies),
    readCommit(checkout),
    listTemplates(checkout),
    readTraits(checkout),
  ])
  const version = request.version ?? packageFile.version
  const traitsOf = (name: ExecutableName) => (name === 'network_server' ? traits : undefined)
  const made = { checkout, version, commit, node, assets }
  return { out, executables: request.names.map((name) => ({ ...made, name, traits: traitsOf(name) })) }
}

/** What a build will do, a line each, for people. */
export function describePlan({ out, executables }: BuildPlan): readonly string[] {
  return executables.flatMap((plan) => [
    `${plan.name} ${plan.version} of commit ${plan.commit}`,
    `  bundle ${join(plan.checkout, entries[plan.name])} with ${plan.assets.size} templates`,
    `  copy ${plan.node.file} (Node ${plan.node.version})`,
    `  run ${blobCommand(plan).join(' ')}`,
    `  run ${injectCommand(plan).join(' ')}`,
    `  run ${plan.name} --version, then put it in place as ${join(out, plan.name)}`,
  ])
}

/**
 * Makes the planned executables, verifies each, and only then puts them and their manifest in place.
 * After a failure the folder is as it was.
 * @throws NetopsError `failed`, `interrupted`
 */
export async function runBuild(plan: BuildPlan, options: MakeOptions): Promise<BuildReport> {
  try {
    await mkdir(plan.out, { recursive: true })
    await removeLeftovers(plan.out)
    await checkSpace(plan)
    // Inside the output folder, so that putting in place is a rename.
    const work = await mkdtemp(join(plan.out, workPrefix))
    try {
      const finished = await makeAll(plan, work, options)
      return await putInPlace(plan.out, work, finished)
    } finally {
      await rm(work, { recursive: true, force: true })
    }
  } catch (thrown) {
    if (options.signal.aborted)
      throw new NetopsError('interrupted', { message: 'the build was stopped', cause: thrown })
    if (thrown instanceof NetopsError || systemCode(thrown) === undefined) throw thrown
    const hint = systemCode(thrown) === 'ENOSPC' ? `free some space on the disk of ${plan.out}` : undefined
    throw new NetopsError('failed', {
      message: `cannot write to ${plan.out}: ${messageOf(thrown)}`,
      hint,
      cause: thrown,
    })
  }
}

// Injecting takes a core for seconds and about 900 MB (measured) for each executable.
const memoryEach = 1.2e9

async function makeAll(plan: BuildPlan, work: string, options: MakeOptions): Promise<readonly Finished[]> {
  const siblings = new AbortController()
  const signal = AbortSignal.any([options.signal, siblings.signal])
  const make = async (executable: ExecutablePlan): Promise<Finished> => {
    try {
      const finished = await makeExecutable(executable, work, { ...options, signal })
      options.progress(`${executable.name} ${executable.version}: made and verified`)
      return finished
    } catch (thrown) {
      // The first failure stops the others; theirs is then only that they were stopped.
      const first = !signal.aborted
      siblings.abort()
      failures.push({ first, thrown })
      throw thrown
    }
  }
  const failures: { first: boolean; thrown: unknown }[] = []
  const together = availableParallelism() > 1 && freemem() > memoryEach * plan.executables.length
  try {
    if (together) return await settled(plan.executables.map(make))
    const finished: Finished[] = []
    for (const executable of plan.executables) finished.push(await make(executable))
    return finished
  } catch (thrown) {
    throw failures.find(({ first }) => first)?.thrown ?? thrown
  }
}

async function putInPlace(out: string, work: string, finished: readonly Finished[]): Promise<BuildReport> {
  const manifest = join(out, 'manifest.json')
  const merged = await mergeManifest(out, manifest, finished)
  const newManifest = join(work, 'manifest.json')
  await writeFile(newManifest, `${JSON.stringify(merged, null, 2)}\n`)
  await Promise.all([...finished.map(({ file }) => file), newManifest].map(flush))
  for (const { file, entry } of finished) await rename(file, join(out, entry.name))
  // Last: until it is there, a new executable beside the old manifest is told by its hash.
  await rename(newManifest, manifest)
  await syncFolder(out)
  return {
    executables: finished.map(({ entry }) => entry),
    manifest,
    phases: Object.fromEntries(finished.map(({ entry, phases }) => [entry.name, phases])),
  }
}

/** The new entries, and those of the manifest in place whose executables this build leaves alone. */
async function mergeManifest(out: string, file: string, finished: readonly Finished[]): Promise<BuildManifest> {
  const made = finished.map(({ entry }) => entry)
  const kept: BuiltExecutable[] = []
  for (const entry of await readEntries(file)) {
    if (made.some(({ name }) => name === entry.name)) continue
    const present = await stat(join(out, entry.name)).catch(() => undefined) // gone: so is its entry
    if (present !== undefined) kept.push(entry)
  }
  const executables = [...kept, ...made].sort((a, b) => (a.name < b.name ? -1 : 1))
  return { schema: manifestSchema, executables }
}

async function readEntries(file: string): Promise<readonly BuiltExecutable[]> {
  try {
    return buildManifest.parse(JSON.parse(await readFile(file, 'utf8'))).executables
  } catch {
    // None yet, or not one that this version reads: a build replaces what it does not understand.
    return []
  }
}

async function checkSpace({ out, executables }: BuildPlan): Promise<void> {
  const [first] = executables
  if (first === undefined) return
  const { size } = await stat(first.node.file)
  // Measured: bundle, blob and what injection adds come to less than a tenth of Node itself.
  const needed = Math.ceil(size * 1.1) * executables.length
  const { bavail, bsize } = await statfs(out)
  if (bavail * bsize >= needed) return
  throw new NetopsError('failed', {
    message: `${out} has ${formatBytes(bavail * bsize)} free, the build needs ${formatBytes(needed)}; nothing was written`,
    hint: 'free some space, or choose another folder with --out',
  })
}

const workPrefix = '.netops-build-'
const leftoverAgeMs = 3_600_000

/** Removes the work folders of builds that were killed. An hour old: no build takes that long. */
async function removeLeftovers(out: string): Promise<void> {
  for (const name of (await readdir(out)).filter((entry) => entry.startsWith(workPrefix))) {
    const { mtimeMs } = await stat(join(out, name))
    if (Math.abs(Date.now() - mtimeMs) > leftoverAgeMs) await rm(join(out, name), { recursive: true, force: true })
  }
}

/** Has the kernel put a file's content on the disk. */
async function flush(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
