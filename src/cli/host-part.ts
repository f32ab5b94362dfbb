// A host's part of a run: detached from whoever asked for it, under the host's lease, and resumable from its journal.
import { join } from 'node:path'
import { connectLocal } from '../drivers/hosts/local.ts'
import { readerOver } from '../drivers/hosts/reader.ts'
import { readJournal, runState, type Journal } from '../engine/journal.ts'
import { acquireLease, readLease, releaseLease } from '../engine/lease.ts'
import { runPlan, type RunResult } from '../engine/run.ts'
import { exitCodes, locate, NetopsError } from '../model/errors.ts'
import type { HostOrder } from '../model/order.ts'
import { hostPaths, runsCommand } from '../model/paths.ts'
import { decideHostPart, reasonOf } from '../procedures/host-procedures.ts'
import { execText, start } from '../system/exec.ts'
import { isAlive } from '../system/processes.ts'
import type { CommandContext, CommandResult } from './command.ts'
import { servicesFor } from './fleet.ts'
import { readOrder } from './host.ts'
import { decidedBy, openJournal, plain } from './run-support.ts'
import type { Member } from './probes.ts'
import { worldOf } from './world.ts'

/** Starts a host's part so that it outlives this process and the connection; one that has ended or still runs is left alone. */
export async function startDetached(root: string, run: string, self: readonly string[]): Promise<void> {
  const paths = hostPaths(root)
  const state = runState((await readJournal(paths.runs, run)) ?? [])
  if (state.end !== undefined || (await isCarriedOut(root, run))) return
  const argv = [...self, 'host', 'run', run, '--root', root]
  if (root === '/') {
    // systemd-run(1): a unit of its own, so that stopping the SSH session does not stop it. --collect forgets it when it ends.
    const unit = `netops-${run.replace(/[^A-Za-z0-9_.-]/g, '-')}`
    await execText(['systemd-run', `--unit=${unit}`, '--collect', '--quiet', ...argv])
  } else {
    await start(argv, { output: join(paths.runs, run, 'output.log'), detached: true })
  }
}

/** Whether a living process is at work on a run. */
export async function isCarriedOut(root: string, run: string): Promise<boolean> {
  const lease = await readLease(hostPaths(root).lease)
  return lease?.run === run && (await isAlive(lease.process))
}

/** Carries out a host's part from its beginning, or from where its journal ends. */
export async function carryOut(root: string, run: string, context: CommandContext): Promise<CommandResult> {
  const input = await readOrder(root, run)
  const paths = hostPaths(root)
  try {
    await acquireLease({ ...paths, netops: input.netops }, run, reasonOf(input))
  } catch (error) {
    await refuse(input, error, context)
    throw error
  }
  try {
    const journal = await openJournal(paths.runs, run, context)
    try {
      return told(run, await proceed(input, journal))
    } finally {
      journal.close()
    }
  } finally {
    await releaseLease(paths.lease, run)
  }
}

async function proceed(input: HostOrder, journal: Journal): Promise<RunResult> {
  const state = runState(journal.records)
  if (state.end !== undefined) {
    const { outcome, changed, error } = state.end
    return { outcome, changed, failures: error === undefined ? [] : [error], open: false }
  }
  const member: Member = {
    connection: connectLocal(input.host),
    services: servicesFor(input.root, input.netops),
  }
  const world = worldOf(new Map([[input.host, member]]))
  if (state.start !== undefined) {
    journal.append({ type: 'resumed', by: decidedBy, pid: process.pid })
    return runPlan(state.start.plan, journal, world)
  }
  try {
    const { services, connection } = member
    const { facts, plan } = await decideHostPart(input, { reader: readerOver(connection), services })
    const { run, procedure } = input
    journal.append({ type: 'run', run, procedure, by: decidedBy, input: plain(input), facts: plain(facts), plan })
    return await runPlan(plan, journal, world)
  } catch (error) {
    return endWith(journal, error, input.host)
  }
}

/** A run that could not begin ends at once, and says why to whoever follows it. */
function endWith(journal: Journal, thrown: unknown, host: string): RunResult {
  const { code, message, hint } = locate(thrown, { host })
  const error = { code, message, host, ...(hint === undefined ? {} : { hint }) }
  journal.append({ type: 'end', outcome: code, changed: false, error })
  return { outcome: code, changed: false, failures: [error], open: false }
}

/** Another run holds the host: this one ends before it began. A run that had begun stays as it is. */
async function refuse(input: HostOrder, thrown: unknown, context: CommandContext): Promise<void> {
  const { runs } = hostPaths(input.root)
  if (runState((await readJournal(runs, input.run)) ?? []).start !== undefined) return
  if (await isCarriedOut(input.root, input.run)) return
  const journal = await openJournal(runs, input.run, context)
  endWith(journal, thrown, input.host)
  journal.close()
}

function told(run: string, result: RunResult): CommandResult {
  const [error] = result.failures
  return {
    outcome: result.outcome,
    data: { run, changed: result.changed, ...(error === undefined ? {} : { error }) },
    text: error === undefined ? `${run}: done` : `${run}: ${exitCodes[result.outcome].meaning}\n  ${error.message}`,
  }
}

/** Resumes a host's part in this process, from the host itself. */
export async function resumeHere(root: string, run: string, context: CommandContext): Promise<CommandResult> {
  if (await isCarriedOut(root, run)) {
    throw new NetopsError('locked', {
      message: `run ${run} is being carried out right now`,
      hint: `watch it: ${runsCommand('follow', run, root)}`,
    })
  }
  return carryOut(root, run, context)
}
