// Who may work on a host, and on a run: a host's own runs one at a time, a fleet run on all its hosts, one process a run.
import { promises as fs } from 'node:fs'
import { join } from 'node:path'
import { NetopsError } from '../model/errors.ts'
import { inLeaseOrder, passOn, usualLeases, type LeaseName } from '../model/leases.ts'
import { leasePath, runsCommand } from '../model/paths.ts'
import { quoteCommand } from '../model/quote.ts'
import { readJournal, runState } from './journal.ts'
import { halfDoneRuns, readRunFile } from './run-file.ts'
import type { HeartbeatWatch } from './heartbeat.ts'
import {
  judgeLease,
  judgeSettled,
  keepLease,
  leaseTiming,
  readLease,
  renewLease,
  takeLease,
  type HeldLease,
  type Judged,
  type Lease,
  type LeaseTiming,
} from './lease-file.ts'

export interface LeasePaths {
  readonly root: string
  /** The netops on this host that people can call. */
  readonly netops: string
  /** Held by a process of this host that changes it; the others lie beside it (`leasePath`). */
  readonly lease: string
  /** Held by a fleet run, from another machine or this one. */
  readonly fleetLease: string
  readonly runs: string
}

/** What was taken, and from whom, for people. */
export interface Taken {
  readonly lease: HeldLease
  readonly takenFrom: string | undefined
}

/** Who asks for a host for one of its own runs. */
export interface HostHolder {
  readonly run: string
  readonly reason: string
  /** What of the host the run needs for itself. */
  readonly leases?: readonly LeaseName[]
  /** The fleet run that it is part of, whose leases it joins. */
  readonly fleet?: string | undefined
}

/**
 * Takes what a run of the host itself needs of it, all or nothing; a run takes its own again after a crash, and a fleet run's
 * host runs join its leases.
 * @throws NetopsError `locked` when somebody lives who holds one of them, or another run stopped half way and is not finished
 */
export async function takeHost(
  paths: LeasePaths,
  holder: HostHolder,
  timing: LeaseTiming = leaseTiming,
): Promise<Taken> {
  const taken: TakenOne[] = []
  try {
    for (const name of inLeaseOrder(holder.leases ?? usualLeases)) {
      taken.push(await takeOwn(paths, name, holder, timing))
    }
  } catch (error) {
    for (const one of taken.toReversed()) await handBack(one, holder.run)
    throw error
  }
  const takenFrom = new Set(taken.flatMap(({ from }) => (from === undefined ? [] : [describeTaken(from)])))
  return {
    lease: all(taken.map(({ lease }) => lease)),
    takenFrom: takenFrom.size === 0 ? undefined : [...takenFrom].join('; '),
  }
}

interface TakenOne {
  readonly lease: HeldLease
  readonly from: Judged | undefined
}

/** A run that comes back and cannot have all of its leases keeps those that it had: it may be half done. */
const handBack = ({ lease, from }: TakenOne, run: string): Promise<void> =>
  from?.lease.run === run ? lease.leave() : lease.giveBack()

async function takeOwn(
  paths: LeasePaths,
  name: LeaseName,
  { run, reason, fleet }: HostHolder,
  timing: LeaseTiming,
): Promise<TakenOne> {
  const path = leasePath(paths.lease, name)
  const mayTakeOver = (judged: Judged) => refuseUnlessOver(judged, paths, { run, name })
  const from = await takeLease(path, { run, reason, timing, mayTakeOver })
  const taken = { lease: await keepLease(path, run, timing), from }
  try {
    const fleetLease = leasePath(paths.fleetLease, name)
    const mine = async () => fleet !== undefined && (await readLease(fleetLease).catch(undamaged))?.run === fleet
    const other = (await mine()) ? undefined : await judgeSettled(fleetLease, timing)
    if (other?.standing === 'held' && other.lease.run !== fleet) throw heldBy(other, paths, name)
    return taken
  } catch (error) {
    await handBack(taken, run)
    throw error
  }
}

/** Several leases as one. */
const all = (held: readonly HeldLease[]): HeldLease => ({
  assertHeld: () => held.forEach((lease) => lease.assertHeld()),
  leave: async () => {
    for (const lease of held) await lease.leave()
  },
  giveBack: async () => {
    for (const lease of held.toReversed()) await lease.giveBack()
  },
})

/** Whether a run that was cut off keeps nobody from what it had. */
async function passesOn(runs: string, run: string): Promise<boolean> {
  const { leases = usualLeases } = (await readRunFile(runs, run)) ?? {}
  return passOn(leases)
}

/**
 * A run that has the host stopped half way: the host may be anything, so only that run may go on; unless it needed nothing of
 * what is in service.
 */
async function refuseUnlessOver(
  judged: Judged,
  paths: LeasePaths,
  { run, name }: { readonly run: string; readonly name: LeaseName },
): Promise<void> {
  if (judged.standing === 'held') throw heldBy(judged, paths, name)
  const { lease: held, standing, damage } = judged
  const why = standing === 'silent' ? 'stands still' : 'stopped half way'
  if (damage !== undefined) {
    const others = (await halfDoneRuns(paths.runs, name)).filter((one) => one.run !== run && one.fleet !== run)
    const passing = await Promise.all(others.map((one) => passesOn(paths.runs, one.run)))
    const half = others.find((_, at) => passing[at] !== true)
    if (half === undefined) return
    throw notFinished(half.run, `run ${half.run} ${why} and is not finished; ${damage.message}`, paths)
  }
  if (held.run === run) return
  const what = `run ${held.run} (${held.reason}) of ${held.since}`
  const { start, end } = runState((await readJournal(paths.runs, held.run).catch(lost(held, paths))) ?? [])
  if (start === undefined || end !== undefined || (await passesOn(paths.runs, held.run))) return
  throw notFinished(held.run, `${what} ${why} and is not finished`, paths)
}

const notFinished = (run: string, message: string, { root, netops }: LeasePaths): NetopsError =>
  new NetopsError('locked', {
    message,
    hint: `finish it first, on the host: ${runsCommand('resume', run, root, netops)}; or take it back: ${runsCommand('undo', run, root, netops)}`,
  })

/** A run that has the host and whose journal cannot be read may be half done. */
const lost =
  ({ run, reason }: Lease, paths: LeasePaths) =>
  (error: unknown): never => {
    if (!(error instanceof NetopsError)) throw error
    throw new NetopsError('locked', {
      message: `run ${run} (${reason}) has this host, and how it ended cannot be told: ${error.message}`,
      hint: `${error.hint ?? ''}; ${releaseCommand(paths, ['--force', '--run', run])}`,
      cause: error,
    })
  }

/** How a lease that nobody lives to give back is given back. */
const releaseCommand = ({ root, netops }: Pick<LeasePaths, 'root' | 'netops'>, words: readonly string[] = []): string =>
  `give the lease back, on the host: ${quoteCommand([netops, 'lock', 'release', ...words, '--root', root])}`

/** Somebody else looks at what is damaged. */
const undamaged = (error: unknown): undefined => {
  if (error instanceof NetopsError && error.code === 'damaged') return undefined
  throw error
}

/** Who asks for a host on behalf of a fleet run. */
export interface FleetHolder {
  readonly run: string
  readonly reason: string
  readonly host: string
  readonly user: string
  readonly leases?: readonly LeaseName[]
}

/**
 * Takes a host for a fleet run. Whoever holds it has to renew it more often than every 30 s; a holder that does not is
 * taken for dead, and what it still sends is refused.
 * @returns from whom it was taken over, for people
 * @throws NetopsError `locked` when another fleet run or another run of the host itself lives or stopped half way
 */
export async function takeForFleet(
  paths: LeasePaths,
  holder: FleetHolder,
  timing: LeaseTiming = leaseTiming,
): Promise<string | undefined> {
  const taken: LeaseName[] = []
  const takenFrom: string[] = []
  try {
    for (const name of inLeaseOrder(holder.leases ?? usualLeases)) {
      const from = await takeOneForFleet(paths, name, holder, timing)
      taken.push(name)
      if (from !== undefined) takenFrom.push(from)
    }
    return takenFrom.length === 0 ? undefined : takenFrom.join('; ')
  } catch (error) {
    await giveBackForFleet(paths, holder.run, taken)
    throw error
  }
}

async function takeOneForFleet(
  paths: LeasePaths,
  name: LeaseName,
  { run, reason, host, user }: FleetHolder,
  timing: LeaseTiming,
): Promise<string | undefined> {
  const from = await takeLease(leasePath(paths.fleetLease, name), {
    run,
    reason,
    timing,
    remote: { host, user },
    mayTakeOver: (judged) =>
      judged.standing === 'held' && judged.lease.run !== run
        ? Promise.reject(heldBy(judged, paths, name))
        : Promise.resolve(),
  })
  try {
    const own = await judgeSettled(leasePath(paths.lease, name), timing)
    if (own !== undefined && !(await isPartOf(paths.runs, own.lease.run, run)))
      await refuseUnlessOver(own, paths, { run, name })
    return from === undefined || from.lease.run === run ? undefined : describeTaken(from)
  } catch (error) {
    await giveBackForFleet(paths, run, [name])
    throw error
  }
}

/** Whether a run of the host was started for a fleet run. */
async function isPartOf(runs: string, run: string, fleet: string): Promise<boolean> {
  const file = await readRunFile(runs, run)
  return file === undefined ? run.startsWith(`${fleet}.`) : file.fleet === fleet
}

/**
 * The heartbeat of a fleet run.
 * @throws NetopsError `locked`, resumable, when a lease is another's or gone
 */
export async function renewForFleet(
  paths: LeasePaths,
  run: string,
  leases: readonly LeaseName[] = usualLeases,
): Promise<void> {
  for (const name of inLeaseOrder(leases)) {
    const held = await renewLease(leasePath(paths.fleetLease, name), run).catch(asDamage)
    if (held !== undefined && 'run' in held && held.run === run) continue
    const how =
      held === undefined
        ? ''
        : 'run' in held
          ? ` to run ${held.run} (${held.reason}), since ${held.since}`
          : `: ${held.message}`
    throw new NetopsError('locked', {
      message: `run ${run} lost its lease${how}`,
      hint: 'it stood still for too long; look at the host with netops status before going on',
      resumable: true,
    })
  }
}

/** Gives back what of a host this fleet run still has. */
export async function giveBackForFleet(
  paths: Pick<LeasePaths, 'fleetLease'>,
  run: string,
  leases: readonly LeaseName[] = usualLeases,
): Promise<void> {
  for (const name of inLeaseOrder(leases).toReversed()) {
    const path = leasePath(paths.fleetLease, name)
    // One that is damaged gets no heartbeat any more, and passes on.
    if ((await readLease(path).catch(undamaged))?.run === run) await fs.rm(path, { force: true })
  }
}

const asDamage = (error: unknown): NetopsError => {
  if (error instanceof NetopsError && error.code === 'damaged') return error
  throw error
}

const carrierPath = (runs: string, run: string): string => join(runs, run, 'carrier.json')

/**
 * Makes this process the only one that carries out a run.
 * @throws NetopsError `locked` when another process does
 */
export async function carryRun(runs: string, run: string, timing: LeaseTiming = leaseTiming): Promise<HeldLease> {
  const path = carrierPath(runs, run)
  const mayTakeOver = ({ lease: held, standing }: Judged): Promise<void> => {
    if (standing !== 'held') return Promise.resolve()
    return Promise.reject(
      new NetopsError('locked', {
        message: `run ${run} is being carried out right now, by process ${held.process.pid} of ${held.user}`,
        hint: `watch it: ${runsCommand('follow', run)}`,
      }),
    )
  }
  await takeLease(path, { run, reason: 'carrying it out', timing, mayTakeOver })
  return keepLease(path, run, timing)
}

/**
 * Whether a process is at work on a run, and was heard of within the bound.
 * @param watch over earlier looks, for whoever asks again and again
 */
export const isCarried = async (runs: string, run: string, watch?: HeartbeatWatch): Promise<boolean> =>
  (await judgeLease(carrierPath(runs, run), leaseTiming, watch))?.standing === 'held'

/** The process that carries out a run, while it lives. */
export async function carrierOf(runs: string, run: string) {
  const judged = await judgeLease(carrierPath(runs, run))
  return judged === undefined || judged.standing === 'dead' ? undefined : judged.lease.process
}

const heldBy = ({ lease, silentMs, damage }: Judged, paths: LeasePaths, name: LeaseName): NetopsError => {
  if (damage !== undefined) {
    const who =
      lease.remote === true
        ? `it was renewed ${Math.round(silentMs / 1000)} s ago`
        : `process ${lease.process.pid} has it`
    return new NetopsError('locked', {
      message: `${damage.message}, and ${who}`,
      hint: `wait for it; once nobody has it (at the latest ${leaseTiming.boundMs / 1000} s after the last heartbeat) it passes on, or ${releaseCommand(paths)}`,
    })
  }
  const what = name === 'release' ? 'this host' : `the lease ${name} of this host`
  const place = lease.remote === true ? ` from ${lease.host}` : ''
  const silence = silentMs > 2 * leaseTiming.heartbeatMs ? `, silent for ${Math.round(silentMs / 1000)} s` : ''
  const watch = runsCommand('follow', lease.run, paths.root, paths.netops)
  return new NetopsError('locked', {
    message: `run ${lease.run} (${lease.reason}) by ${lease.user}${place} holds ${what} since ${lease.since}${silence}`,
    hint:
      lease.remote === true
        ? `wait for it (a holder that is silent for ${leaseTiming.boundMs / 1000} s loses it), or ask ${lease.user} on ${lease.host}`
        : `wait for it, or watch it on the host: ${watch}`,
  })
}

const describeTaken = ({ lease, standing, silentMs, damage }: Judged): string => {
  if (damage !== undefined) return `taken over: ${damage.message}, and nobody had it`
  const why = standing === 'silent' ? `silent for ${Math.round(silentMs / 1000)} s and was ended` : 'gone'
  return `taken over from run ${lease.run} (${lease.reason}) by ${lease.user} of ${lease.since}, whose process is ${why}`
}
