// A host's part of a run: detached from whoever asked for it, under the host's lease, and resumable from its journal.
import { join } from 'node:path'
import { begin, listRuns, readJournal, requireStart, runState, type Journal } from '../engine/journal.ts'
import { carryRun, isCarried, takeHost, type Taken } from '../engine/lease.ts'
import { requireUndoable, runPlan, undoRun, type RunResult } from '../engine/run.ts'
import { exitCodes, locate, NetopsError } from '../model/errors.ts'
import type { HostOrder } from '../procedures/request.ts'
import { hostPaths, runsCommand } from '../model/paths.ts'
import { decideHostPart, reasonOf } from '../procedures/list.ts'
import { execText, start } from '../system/exec.ts'
import type { CommandContext, CommandResult } from '../cli/command.ts'
import { servicesFor } from '../drivers/services/choose.ts'
import { readOrder } from '../cli/commands/host.ts'
import type { Member } from './probes.ts'
import { connectHere, readerOf } from '../drivers/hosts/readers.ts'
import { controlOf, decidedBy, openJournal, plain } from './run-support.ts'
import { worldOf } from './executor.ts'

export type Direction = 'forward' | 'back'

/** Starts a host's part so that it outlives this process and the connection; one that is at work is left alone. */
export async function startDetached(
  root: string,
  run: string,
  direction: Direction,
  self: readonly string[],
): Promise<void> {
  const paths = hostPaths(root)
  const state = runState((await readJournal(paths.runs, run)) ?? [])
  const over = state.end !== undefined && (direction === 'forward' || state.end.undone === true)
  if (over || (await isCarried(paths.runs, run))) return
  const argv = [...self, 'host', 'run', run, '--root', root, ...(direction === 'back' ? ['--undo'] : [])]
  if (root === '/') {
    // systemd-run(1): a unit of its own, so that stopping the SSH session does not stop it. --collect forgets it when it ends.
    const unit = `netops-${run.replace(/[^A-Za-z0-9_.-]/g, '-')}${direction === 'back' ? '-undo' : ''}`
    await execText(['systemd-run', `--unit=${unit}`, '--collect', '--quiet', ...argv])
  } else {
    await start(argv, { output: join(paths.runs, run, 'output.log'), detached: true })
  }
}

/**
 * As {@link startDetached}, to take a part back.
 * @throws NetopsError `refused` at once when a later run changed the host, or nothing can be undone
 */
export async function startUndo(root: string, run: string, self: readonly string[]): Promise<void> {
  const { runs } = hostPaths(root)
  await refuseUndo(runs, run)
  const state = runState((await readJournal(runs, run)) ?? [])
  if (state.direction === 'forward') requireUndoable(state.records, requireStart(run, state))
  await startDetached(root, run, 'back', self)
}

/** Carries out a host's part, forward or back, from its beginning or from where its journal ends. */
export async function carryOut(
  root: string,
  run: string,
  direction: Direction,
  context: CommandContext,
): Promise<CommandResult> {
  const order = await readOrder(root, run)
  const { runs } = hostPaths(root)
  context.answerInterrupts()
  if (direction === 'back') await refuseUndo(runs, run)
  const carrier = await carryRun(runs, run)
  try {
    const taken = await takeFor(order, context)
    if (taken.takenFrom !== undefined) context.progress(taken.takenFrom)
    let open = true
    try {
      const journal = await openJournal(runs, run, context)
      try {
        const result = await proceed(order, direction, journal, { taken, context })
        open = result.open
        return told(run, result)
      } finally {
        journal.close()
      }
    } finally {
      // One that stopped half way leaves its lease as a dead holder's: nobody is to build on what it left.
      await (open ? taken.lease.leave() : taken.lease.giveBack())
    }
  } finally {
    await carrier.giveBack()
  }
}

async function takeFor(order: HostOrder, context: CommandContext): Promise<Taken> {
  const paths = hostPaths(order.root)
  try {
    return await takeHost({ ...paths, netops: order.netops }, order.run, reasonOf(order))
  } catch (error) {
    // Another run holds the host: this one ends before it began. A run that had begun stays as it is.
    if (runState((await readJournal(paths.runs, order.run)) ?? []).start === undefined) {
      const journal = await openJournal(paths.runs, order.run, context)
      endWith(journal, error, order.host)
      journal.close()
    }
    throw error
  }
}

interface Hands {
  readonly taken: Taken
  readonly context: CommandContext
}

async function proceed(
  order: HostOrder,
  direction: Direction,
  journal: Journal,
  { taken, context }: Hands,
): Promise<RunResult> {
  const member: Member = { connection: connectHere(order.host), services: servicesFor(order.root, order.netops) }
  const world = worldOf({
    members: new Map([[order.host, member]]),
    control: controlOf(context),
    guard: () => taken.lease.assertHeld(),
    env: context.env,
    tell: context.progress,
  })
  const state = runState(journal.records)
  if (direction === 'back' && state.direction === 'forward') return undoRun(journal, world, controlOf(context))
  if (state.end !== undefined) {
    const { outcome, changed, error } = state.end
    return { outcome, changed, failures: error === undefined ? [] : [error], open: false }
  }
  if (state.start !== undefined) {
    journal.append({ type: 'resumed', by: decidedBy, pid: process.pid })
    return runPlan(journal, world, controlOf(context))
  }
  try {
    const { services, connection } = member
    const { facts, plan } = await decideHostPart(order, { reader: readerOf(connection), services })
    const { run, procedure } = order
    begin(journal, { run, procedure, by: decidedBy, input: plain(order), facts: plain(facts), plan })
    return await runPlan(journal, world, controlOf(context))
  } catch (error) {
    return endWith(journal, error, order.host)
  }
}

/** A run that could not begin ends at once, and says why to whoever follows it. */
function endWith(journal: Journal, thrown: unknown, host: string): RunResult {
  const { code, message, hint } = locate(thrown, { host })
  const error = { code, message, host, ...(hint === undefined ? {} : { hint }) }
  journal.append({ type: 'end', outcome: code, changed: false, error })
  return { outcome: code, changed: false, failures: [error], open: false }
}

function told(run: string, result: RunResult): CommandResult {
  const [error] = result.failures
  return {
    outcome: result.outcome,
    data: { run, changed: result.changed, ...(error === undefined ? {} : { error }) },
    text: error === undefined ? `${run}: done` : `${run}: ${exitCodes[result.outcome].meaning}\n  ${error.message}`,
  }
}

/** Goes on with a host's part in this process, from the host itself. */
export async function resumeHere(
  root: string,
  run: string,
  direction: Direction,
  context: CommandContext,
): Promise<CommandResult> {
  if (!(await isCarried(hostPaths(root).runs, run))) return carryOut(root, run, direction, context)
  throw new NetopsError('locked', {
    message: `run ${run} is being carried out right now`,
    hint: `watch it: ${runsCommand('follow', run, root)}`,
  })
}

/** The names of a host's own runs hold the host's: `RUN.web1`. */
export const isHostRun = (run: string): boolean => run.includes('.')

/**
 * Undo effects put back what was there before their own run, so only the newest change can be taken back.
 * @throws NetopsError `refused` when a later run changed the host
 */
async function refuseUndo(runs: string, run: string): Promise<void> {
  const all = (await listRuns(runs)).filter((entry) => isHostRun(entry.run))
  const at = all.findIndex((entry) => entry.run === run)
  const later = all.slice(at + 1).filter(({ state }) => state.end?.changed === true && state.end.undone !== true)
  const newest = later.at(-1)
  if (at < 0 || newest === undefined) return
  throw new NetopsError('refused', {
    message: `run ${newest.run} changed this host after run ${run}: what stood before ${run} is not what stood before that`,
    hint: `take that one back first: netops runs undo ${newest.run}`,
  })
}
