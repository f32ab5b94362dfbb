// The leases of one host as an operator sees them, and giving back what nobody uses any more.
import { promises as fs } from 'node:fs'
import { NetopsError } from '../model/errors.ts'
import { leaseNames, type LeaseName } from '../model/leases.ts'
import { leasePath, runsCommand } from '../model/paths.ts'
import { quoteCommand } from '../model/quote.ts'
import { readJournal, runState } from './journal.ts'
import { judgeLease, type Judged, type LeaseState } from './lease-file.ts'
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
  /** `unfinished`: its run stopped half way, so that only that run may go on. */
  readonly state: 'at work' | 'unfinished' | 'over'
}

/** Who holds a host, or what of it; none where it is free. */
export async function readLocks(paths: LeasePaths): Promise<readonly LockState[]> {
  const places = leaseNames.flatMap((lease) => (['host', 'fleet'] as const).map((kind) => ({ kind, lease })))
  const states = await Promise.all(
    places.map(async (place) => {
      const judged = await judgeLease(pathOf(paths, place))
      return judged && stateOf(place, judged, paths.runs)
    }),
  )
  return states.filter((state) => state !== undefined)
}

type LockPlace = Pick<LockState, 'kind' | 'lease'>

const pathOf = (paths: LeasePaths, { kind, lease }: LockPlace): string =>
  leasePath(kind === 'host' ? paths.lease : paths.fleetLease, lease)

async function stateOf(place: LockPlace, judged: Judged, runs: string): Promise<LockState> {
  const { lease, standing, silentMs } = judged
  const { start, end } = runState((await readJournal(runs, lease.run)) ?? [])
  const unfinished = place.kind === 'host' && start !== undefined && end === undefined
  return {
    ...place,
    run: lease.run,
    reason: lease.reason,
    user: lease.user,
    from: lease.host,
    since: lease.since,
    silentSeconds: Math.round(silentMs / 1000),
    standing,
    state: standing === 'held' ? 'at work' : unfinished ? 'unfinished' : 'over',
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
export async function releaseLocks(paths: LeasePaths, release: LockRelease): Promise<readonly LockState[]> {
  const locks = (await readLocks(paths)).filter(({ run }) => release.run === undefined || run === release.run)
  if (release.rule === 'only what is over') for (const lock of locks) refuseLiving(lock, paths)
  for (const lock of locks) await fs.rm(pathOf(paths, lock), { force: true })
  return locks
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
