// What the tests of leases share: a host's folder, short times, and leases as other processes left them.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, onTestFinished } from 'vitest'
import { takeForFleet, takeHost, type HostHolder, type LeasePaths, type Taken } from '../../src/engine/lease.ts'
import type { LeaseName } from '../../src/model/leases.ts'
import { hostPaths, leasePath } from '../../src/model/paths.ts'
import { identify, type ProcessIdentity } from '../../src/system/processes.ts'

/** A second takes the part of the half minute that a silent holder gets. */
export const quick = { heartbeatMs: 100, boundMs: 1000 }

/** The host of one test. */
interface LeaseHost {
  paths: LeasePaths
  /** What this process took: it is left when the test ends. */
  taken: Taken[]
}

/** A host below a folder of its own for each test of a file. */
export function leaseHost(): LeaseHost {
  const host: LeaseHost = { paths: { ...hostPaths('/'), netops: 'netops' }, taken: [] }
  let folder = ''
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'netops-leases-'))
    // What people are told is as on a host, without its root.
    host.paths = { ...hostPaths(folder), root: '/', netops: 'netops' }
    await mkdir(dirname(host.paths.lease), { recursive: true })
  })
  afterEach(async () => {
    for (const { lease } of host.taken.splice(0)) await lease.leave()
    await rm(folder, { recursive: true, force: true })
  })
  return host
}

/** Takes the host for one of its own runs. */
export async function take(host: LeaseHost, run: string, more: Partial<HostHolder> = {}): Promise<Taken> {
  const got = await takeHost(host.paths, { run, reason: `deploy of ${run}`, ...more }, quick)
  host.taken.push(got)
  return got
}

/** Takes the host for a fleet run of alice. */
export const takeFleet = (
  { paths }: LeaseHost,
  run: string,
  leases?: readonly LeaseName[],
): ReturnType<typeof takeForFleet> =>
  takeForFleet(
    paths,
    { run, reason: 'deploy by alice', user: 'alice', host: 'ops1', ...(leases === undefined ? {} : { leases }) },
    quick,
  )

/** What lies beside the lease, but for what runs have there. */
export const leaseFiles = async ({ paths }: LeaseHost): Promise<readonly string[]> =>
  (await readdir(dirname(paths.lease))).filter((name) => !['runs', 'open'].includes(name)).sort()

/** A process that runs until the test ends. */
export async function running(): Promise<{
  readonly identity: ProcessIdentity
  readonly stop: () => void
  readonly kill: () => Promise<void>
}> {
  const child = spawn('sleep', ['60'])
  await once(child, 'spawn')
  const ended = once(child, 'exit')
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await ended
  }
  onTestFinished(kill)
  const identity = await identify(child.pid ?? 0)
  if (identity === undefined) throw new Error('the process did not run')
  return { identity, stop: () => void child.kill('SIGSTOP'), kill }
}

/** A process that ran and was ended. */
export async function deadProcess(): Promise<ProcessIdentity> {
  const { identity, kill } = await running()
  await kill()
  return identity
}

/** What is in the lease of a run that a process has. */
export const leaseOf = (process: ProcessIdentity, run: string): object => ({
  ...{ schema: 'netops/lease/v1', run, reason: 'deploy', host: 'h', user: 'u', since: 's' },
  process,
})

/** Puts a lease on the disk as another process left it; `ageMs` ago it was heard of last. */
export async function leftBy(
  { paths }: LeaseHost,
  process: ProcessIdentity,
  { run, name = 'release', ageMs = 0 }: { readonly run: string; readonly name?: LeaseName; readonly ageMs?: number },
): Promise<void> {
  const path = leasePath(paths.lease, name)
  await writeFile(path, JSON.stringify(leaseOf(process, run)))
  await aged(path, ageMs)
}

/** Makes a file's last change so long ago. */
export async function aged(path: string, ageMs: number): Promise<void> {
  const at = new Date(Date.now() - ageMs)
  await utimes(path, at, at)
}
