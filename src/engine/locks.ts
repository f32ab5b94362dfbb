// The leases of one host as an operator sees them, and giving back what nobody uses any more.
import { promises as fs } from 'node:fs'
import { NetopsError } from '../model/errors.ts'
import { failureOf, type Failure } from '../model/failure.ts'
import { leaseNames, type LeaseName } from '../model/leases.ts'
import { leasePath, runsCommand } from '../model/paths.ts'
import { quoteCommand } from '../model/quote.ts'
import { readJournal, runState } from './journal.ts'
import { halfDoneRuns } from './run-file.ts'
import { judgeLease, judgeSettled, leaseTiming, type Judged, type LeaseState } from './lease-file.ts'
import type { LeasePaths } from './lease.ts'

export interface LockState {
  /** `host`: held by a run of the host itself. `fleet`: by an operator's run. */
  readonly kind: 'host' | 'fleet'
  /** What of the host is held. */
  readonly lease: LeaseName
  readonly run: string
  readonly reason: string
  readonly user: string
  /** The machine that the holder is on. */
  readonly from: string
  readonly since: string
  /** How long ago it was last heard of, in seconds. */
  readonly silentSeconds: number
  readonly standing: LeaseState
  /** Its last heartbeat is from the future: the clock was set back. */
  readonly ahead?: true
  /** Why its file cannot be read. */
  readonly damage?: Failure
  /** `unfinished`: its run stopped half way, so that only that run may go on. */
  readonly state: 'at work' | 'unfinished' | 'over'
}

/** Who holds a host, or what of it; none where it is free. */
export async function readLocks(
  paths: LeasePaths,
  judge: (path: string) => Promise<Judged | undefined> = judgeLease,
): Promise<readonly LockState[]> {
  const places = leaseNames.flatMap((lease) => (['host', 'fleet'] as const).map((kind) => ({ kind, lease })))
  const states = await Promise.all(
    places.map(async (place) => {
      const judged = await judge(pathOf(paths, place))
      return judged && stateOf(place, judged, paths)
    }),
  )
  return states.filter((state) => state !== undefined)
}

type LockPlace = Pick<LockState, 'kind' | 'lease'>

const pathOf = (paths: LeasePaths, { kind, lease }: LockPlace): string =>
  leasePath(kind === 'host' ? paths.lease : paths.fleetLease, lease)

async function stateOf(place: LockPlace, judged: Judged, paths: LeasePaths): Promise<LockState> {
  const { runs } = paths
  const { lease, standing, silentMs, ahead, damage } = judged
  const [half] = damage === undefined || place.kind === 'fleet' ? [] : await halfDoneRuns(runs, place.lease)
  const unfinished =
    place.kind === 'host' && (damage === undefined ? await isHalfDone(runs, lease.run) : half !== undefined)
  return {
    ...place,
    run: half?.run ?? lease.run,
    reason: lease.reason,
    user: lease.user,
    from: lease.host,
    since: lease.since,
    silentSeconds: Math.round(silentMs / 1000),
    standing,
    ...(ahead ? { ahead } : {}),
    ...(damage === undefined ? {} : { damage: { ...failureOf(damage), hint: wayOut(half?.run, paths) } }),
    state: standing === 'held' ? 'at work' : unfinished ? 'unfinished' : 'over',
  }
}

/** What to do about a lease that does not say whose it is. */
function wayOut(half: string | undefined, { root, netops }: LeasePaths): string {
  if (half !== undefined)
    return `finish what it may belong to, on the host: ${runsCommand('resume', half, root, netops)}`
  return `give it back, on the host: ${quoteCommand([netops, 'lock', 'release', '--root', root])}; or from afar: netops lock release --hosts NAME`
}

/** One whose journal cannot be read may be. */
async function isHalfDone(runs: string, run: string): Promise<boolean> {
  try {
    const { start, end } = runState((await readJournal(runs, run)) ?? [])
    return start !== undefined && end === undefined
  } catch (error) {
    if (error instanceof NetopsError) return true
    throw error
  }
}

export interface LockRelease {
  /** Only a lease of this run; with it, `force` may take it from the living. */
  readonly run: string | undefined
  readonly rule: 'only what is over' | 'whatever it is'
}

/**
 * Gives a host's leases back.
 * @returns those that were given back
 * @throws NetopsError `locked` when the holder lives, `refused` when its run stopped half way; nothing was given back then
 */
export async function releaseLocks(
  paths: LeasePaths,
  release: LockRelease,
  timing = leaseTiming,
): Promise<readonly LockState[]> {
  // A heartbeat from the future is watched: it may have been the last.
  const locks = (await readLocks(paths, (path) => judgeSettled(path, timing))).filter(
    ({ run }) => release.run === undefined || run === release.run,
  )
  if (release.rule === 'only what is over') for (const lock of locks) refuseLiving(lock, paths)
  for (const lock of locks) await remove(pathOf(paths, lock), lock)
  return locks
}

/** What cannot be read is kept beside it: it may tell somebody what happened. */
async function remove(path: string, { damage }: LockState): Promise<void> {
  if (damage === undefined) await fs.rm(path, { force: true })
  else await fs.rename(path, `${path}.damaged-${Date.now()}`)
}

function refuseLiving({ run, reason, user, from, since, standing, state }: LockState, paths: LeasePaths): void {
  const [resume, undo] = (['resume', 'undo'] as const).map((verb) => runsCommand(verb, run, paths.root, paths.netops))
  const force = `or, knowing what state the host is in: ${quoteCommand(['netops', 'lock', 'release', '--force', '--run', run])}`
  if (standing === 'held') {
    throw new NetopsError('locked', {
      message: `run ${run} (${reason}) by ${user} on ${from} has held this host since ${since}, and is at work`,
      hint: `wait for it, ${force}`,
    })
  }
  if (state !== 'unfinished' && standing !== 'silent') return
  const how = standing === 'silent' ? 'stands still' : 'stopped half way'
  throw new NetopsError('refused', {
    message: `run ${run} (${reason}) by ${user} ${how}: whoever came next would build on what it left`,
    hint: `finish it: ${resume ?? ''}; or take it back: ${undo ?? ''}; ${force}`,
  })
}
