// A host run: a procedure on this host, under the host's lease, from its beginning or from where its journal ends.
import { join } from 'node:path'
import { begin, readJournal, requireStart, runState, type Journal } from '../engine/journal.ts'
import { ItemLog, itemLogPath } from '../engine/item-log.ts'
import { carryRun, isCarried, takeHost, type Taken } from '../engine/lease.ts'
import { refuseOtherPlan } from '../engine/plan-digest.ts'
import { openRun, settleRun, type RunDescription } from '../engine/run-file.ts'
import { endPassedOn, settleEnded } from '../engine/settle-ended.ts'
import { requireUndoable, runPlan, undoRun, type RunResult } from '../engine/run.ts'
import { locate, NetopsError } from '../model/errors.ts'
import { failureOf } from '../model/failure.ts'
import { hostPaths, runsCommand } from '../model/paths.ts'
import { connectHere, readerOf } from '../drivers/hosts/readers.ts'
import { servicesFor } from '../drivers/services/choose.ts'
import { refuseUnfit } from '../procedures/ground.ts'
import type { HostRequest } from '../procedures/host-request.ts'
import { removeTree } from '../system/files.ts'
import { refuseSharedRoot } from '../system/folder-trust.ts'
import { decide, procedureNamed } from '../procedures/list.ts'
import { controlOf, type RunContext } from './context.ts'
import { executorOf } from './executor.ts'
import { lazyHost } from './hosts.ts'
import { readRequest } from './host-run-request.ts'
import { decidedBy, openJournal, plain } from './run-journal.ts'
import { refuseUndo } from './undo-order.ts'

export type Direction = 'forward' | 'back'

/**
 * Carries out a host run in this process, forward or back.
 * @throws NetopsError `locked` when another run holds the host, or another process carries this one out
 */
export async function carryOut(
  root: string,
  run: string,
  direction: Direction,
  context: RunContext,
): Promise<RunResult> {
  const request = await readRequest(root, run)
  const { runs } = hostPaths(root)
  context.answerInterrupts('on this host')
  await refuseSharedRoot(root)
  if (direction === 'back') await refuseUndo(runs, run)
  const carrier = await carryRun(runs, run)
  try {
    const taken = await takeFor(request, context)
    if (taken.takenFrom !== undefined) context.progress(taken.takenFrom)
    let open = true
    try {
      const journal = await openJournal(runs, run, context)
      try {
        await settleEnded(runs)
        await endPassedOn(runs, { run, leases: procedureNamed(request.procedure).leases }, () => new Date())
        const result = await proceed(request, direction, journal, { taken, context })
        open = result.open
        return result
      } finally {
        journal.close()
        await settle(runs, request, journal)
      }
    } finally {
      // One that stopped half way leaves its lease as a dead holder's: nobody is to build on what it left.
      await (open ? taken.lease.leave() : taken.lease.giveBack())
    }
  } finally {
    await carrier.giveBack()
  }
}

async function takeFor(request: HostRequest, context: RunContext): Promise<Taken> {
  const paths = hostPaths(request.root)
  const procedure = procedureNamed(request.procedure)
  try {
    const { run, fleet } = request
    const holder = { run, reason: procedure.reason(request), leases: procedure.leases, fleet }
    return await takeHost({ ...paths, netops: request.netops }, holder)
  } catch (error) {
    // Another run holds the host: this one ends before it began. A run that had begun stays as it is.
    if (runState((await readJournal(paths.runs, request.run)) ?? []).start === undefined) {
      const journal = await openJournal(paths.runs, request.run, context)
      await endBefore(journal, error, request)
      journal.close()
      await settle(paths.runs, request, journal)
    }
    throw error
  }
}

/** What stands in the run's file. */
const describe = ({ run, procedure, host, netops, fleet }: HostRequest): RunDescription => ({
  run,
  scope: 'host',
  ...(fleet === undefined ? {} : { fleet }),
  procedure,
  host,
  leases: [...procedureNamed(procedure).leases],
  netops,
  started: new Date().toISOString(),
})

/** Whoever comes next says how the run ended if this process cannot. */
const settle = (runs: string, request: HostRequest, { records }: Journal): Promise<void> =>
  settleRun(runs, request.run, records, describe(request)).catch(() => undefined)

interface CarriedOut {
  readonly taken: Taken
  readonly context: RunContext
}

async function proceed(
  request: HostRequest,
  direction: Direction,
  journal: Journal,
  { taken, context }: CarriedOut,
): Promise<RunResult> {
  const { host, root, netops, procedure, run } = request
  const { runs } = hostPaths(root)
  const services = servicesFor(root, netops)
  const connection = connectHere(host)
  const hosts = new Map([[host, lazyHost(host, services, () => Promise.resolve(connection))]])
  const executor = executorOf(hosts, context, {
    guard: () => taken.lease.assertHeld(),
    items: () => ItemLog.open(itemLogPath(runs, run)),
  })
  const control = controlOf(context)
  const state = runState(journal.records)
  const open = () => openRun(runs, describe(request), new Date())
  if (direction === 'back' && state.direction === 'forward') {
    await open()
    return undoRun(journal, executor, control)
  }
  if (state.end !== undefined) {
    const { outcome, changed, error } = state.end
    return { outcome, changed, failures: error === undefined ? [] : [error], open: false }
  }
  if (state.start !== undefined) {
    await open()
    journal.append({ type: 'resumed', by: decidedBy, pid: process.pid })
    return runPlan(journal, executor, control)
  }
  try {
    const reader = readerOf(connection)
    const { facts, plan, demands } = await decide(request, { reader, services })
    if (request.shown !== undefined) refuseOtherPlan(plan, request.shown, request)
    await refuseUnfit(reader, host, demands())
    await open()
    begin(journal, { run, procedure, by: decidedBy, input: plain(request), facts: plain(facts), plan })
    return await runPlan(journal, executor, control)
  } catch (error) {
    return endBefore(journal, error, request)
  }
}

/**
 * A run that could not begin ends at once, and says why to whoever follows it. What was brought for it takes room, and nobody
 * will ask for it again.
 */
async function endBefore(journal: Journal, thrown: unknown, { host, root, run }: HostRequest): Promise<RunResult> {
  const begun = runState(journal.records).start !== undefined
  // `netops gc` finds what cannot be removed now.
  if (!begun) await removeTree(join(hostPaths(root).incoming, run)).catch(() => undefined)
  const error = failureOf(locate(thrown, { host }))
  const { code } = error
  journal.append({ type: 'end', outcome: code, changed: false, error })
  return { outcome: code, changed: false, failures: [error], open: false }
}

/**
 * Goes on with a host run in this process, from the host itself.
 * @throws NetopsError `locked` when another process carries it out
 */
export async function resumeHere(
  root: string,
  run: string,
  direction: Direction,
  context: RunContext,
): Promise<RunResult> {
  if (!(await isCarried(hostPaths(root).runs, run))) return carryOut(root, run, direction, context)
  throw new NetopsError('locked', {
    message: `run ${run} is being carried out right now`,
    hint: `watch it: ${runsCommand('follow', run, root)}`,
  })
}

/**
 * @throws NetopsError `refused` at once when a later run changed the host, or nothing of the run can be undone
 */
export async function requireHostUndo(root: string, run: string): Promise<void> {
  const { runs } = hostPaths(root)
  await refuseUndo(runs, run)
  const state = runState((await readJournal(runs, run)) ?? [])
  if (state.direction === 'forward') requireUndoable(state.records, requireStart(run, state))
}
