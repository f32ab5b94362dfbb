// One single executable: bundle -> blob -> copy of Node with the blob in it -> verified by running it.
import { chmod, copyFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { NetopsError } from '../model/errors.ts'
import type { BuiltExecutable, ExecutableName } from '../model/manifest.ts'
import type { ReleaseTraits } from '../model/release-traits.ts'
import { exec, execText } from '../system/exec.ts'
import { sha256OfFile } from '../system/files.ts'
import { bundle } from './bundle.ts'
import type { PinnedNode } from './checkout.ts'

export const entries: Readonly<Record<ExecutableName, string>> = {
  network_server: 'src/server/main.ts',
  netops: 'src/cli/main.ts',
}

// What the threads of an executable run is a script of its own, which the executable carries as an asset `threads`
// (system/thread.ts): they need other parts of the sources, and none of those twice.
const threadEntries: Readonly<Partial<Record<ExecutableName, string>>> = {
  network_server: 'src/server/threads/entry.ts',
  netops: 'src/archive/threads/entry.ts',
}

export interface ExecutablePlan {
  readonly name: ExecutableName
  readonly checkout: string
  readonly version: string
  readonly commit: string
  readonly node: PinnedNode
  /** What the source says of the release that it becomes; undefined where it says nothing. */
  readonly traits: ReleaseTraits | undefined
  /** Files to embed: key to path. */
  readonly assets: ReadonlyMap<string, string>
}

export interface Finished {
  readonly entry: BuiltExecutable
  /** Where the verified executable is, inside the work folder. */
  readonly file: string
  /** What each phase took, in milliseconds. */
  readonly phases: Readonly<Record<string, number>>
}

export interface MakeOptions {
  readonly signal: AbortSignal
  readonly progress: (line: string) => void
}

/** The configuration that Node makes the blob from; its keys' and assets' order is part of the bytes. */
const seaConfig = (plan: ExecutablePlan) => ({
  // Names without folders: Node writes them into the blob.
  main: `${plan.name}.cjs`,
  output: `${plan.name}.blob`,
  disableExperimentalSEAWarning: true,
  useSnapshot: false,
  useCodeCache: true,
  // As in a checkout (scripts/with-node): node:sqlite and zstd work, and warn on each start. And SIGUSR1 opens Node's debugger to
  // every account of the host; Node blocks it where told not to, also for the server, which wants it from what rotates logs.
  execArgv: ['--disable-warning=ExperimentalWarning', ...(plan.name === 'network_server' ? [] : ['--disable-sigusr1'])],
  execArgvExtension: 'env',
  assets: {
    ...Object.fromEntries(plan.assets),
    ...(threadEntries[plan.name] === undefined ? {} : { threads: threadScript(plan) }),
  },
})

const threadScript = ({ name }: ExecutablePlan): string => `${name}.threads.cjs`

/** The command that makes the blob, run in the work folder. The fixed seed makes the code cache reproducible. */
export const blobCommand = (plan: ExecutablePlan): readonly string[] => [
  plan.node.file,
  '--random-seed=1',
  '--experimental-sea-config',
  `${plan.name}.sea.json`,
]

/** The command that puts the blob into the copy of Node, run in the work folder. */
export const injectCommand = (plan: ExecutablePlan): readonly string[] => [
  plan.node.file,
  join(import.meta.dirname, 'inject.ts'),
  plan.name,
  `${plan.name}.blob`,
]

/**
 * Makes one executable in the work folder.
 * @param work an empty folder of this build's own, on the file system where the executable will be
 * @throws NetopsError `failed` naming the phase and what it said
 */
export async function makeExecutable(plan: ExecutablePlan, work: string, options: MakeOptions): Promise<Finished> {
  const { name, version, commit, node } = plan
  const file = join(work, name)
  const phases: Record<string, number> = {}
  const timed = async <T>(phase: string, job: () => Promise<T>): Promise<T> => {
    const begun = performance.now()
    const value = await job()
    phases[phase] = Math.round(performance.now() - begun)
    return value
  }
  // NODE_OPTIONS of whoever builds would change V8's flags, and with them the code cache.
  const inWork = { cwd: work, env: { NODE_OPTIONS: undefined }, signal: options.signal, timeoutMs: 300_000 }

  const copying = timed('copy', async () => {
    await copyFile(node.file, file)
    await chmod(file, 0o755)
  })
  const preparing = (async () => {
    const script = async (entry: string, to: string): Promise<void> => {
      const made = await bundle({ ...plan, entry, facts: factsOf(plan) })
      for (const warning of made.warnings) options.progress(`${name}: ${warning}`)
      await writeFile(join(work, to), made.code)
    }
    await timed('bundle', async () => {
      await script(entries[name], `${name}.cjs`)
      const ofThreads = threadEntries[name]
      if (ofThreads !== undefined) await script(ofThreads, threadScript(plan))
    })
    await writeFile(join(work, `${name}.sea.json`), JSON.stringify(seaConfig(plan)))
    await timed('blob', () => execText(blobCommand(plan), inWork))
  })()
  await settled([copying, preparing])
  options.signal.throwIfAborted()
  await timed('inject', () => execText(injectCommand(plan), inWork))
  await timed('verify', () => verify(plan, file, options.signal))
  const sha256 = await timed('hash', () => sha256OfFile(file))
  const { size } = await stat(file)
  return {
    entry: {
      name,
      version,
      commit,
      platform: `${process.platform}-${process.arch}`,
      node: node.version,
      size,
      sha256,
      ...(plan.traits === undefined ? {} : { traits: plan.traits }),
    },
    file,
    phases,
  }
}

/** The globals that src/system/build-info.ts reads. */
const factsOf = (plan: ExecutablePlan) => ({
  __NETOPS_NAME__: plan.name,
  __NETOPS_VERSION__: plan.version,
  __NETOPS_COMMIT__: plan.commit,
})

/**
 * Waits until all of them have ended, so that nothing still writes when a failure is cleaned up after.
 * @throws the first one's failure
 */
export async function settled<T>(jobs: readonly Promise<T>[]): Promise<readonly T[]> {
  await Promise.allSettled(jobs)
  return Promise.all(jobs)
}

async function verify({ name, version }: ExecutablePlan, file: string, signal: AbortSignal): Promise<void> {
  const { code, stdout, stderr } = await exec([file, '--version'], { signal, timeoutMs: 60_000 })
  if (code === 0 && stdout.split(/\s+/).includes(version)) return
  const said = `${stdout}${stderr}`.trim()
  throw new NetopsError('failed', {
    message: `the new ${name} does not print version ${version}: '${name} --version' exited with ${code}: ${said}`,
    hint: 'nothing was put in place',
  })
}
