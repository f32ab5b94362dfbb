// Goes on with an operator's run, or takes it back: from its journal, not from fresh facts.
import * as z from 'zod'
import { runState, requireStart, type Journal } from '../engine/journal.ts'
import { runPlan, undoRun, type RunResult } from '../engine/run.ts'
import type { World } from '../engine/world.ts'
import { hostOrder } from '../procedures/request.ts'
import { stepsOf, type Plan } from '../model/plan.ts'
import type { CommandContext, CommandResult } from '../cli/command.ts'
import { target } from '../fleet/fleet.ts'
import { connectAll, localFile, ownNetops, summarize } from './fleet-run.ts'
import type { Direction } from './host-run.ts'
import { carrying, controlOf, decidedBy, withWorld } from './run-support.ts'

/** What a fleet run was begun with. */
export const fleetInput = z.object({
  targets: z.array(target),
  netops: z.string(),
  environment: z.string().optional(),
})

/** Finishes a fleet run, or takes it back; one that has ended is only told again. */
export async function resumeFleet(
  runs: string,
  run: string,
  direction: Direction,
  context: CommandContext,
): Promise<CommandResult> {
  let plan: Plan | undefined
  let procedure = ''
  const ran = await carrying(runs, run, context, async (journal) => {
    const state = runState(journal.records)
    const start = requireStart(run, state)
    plan = start.plan
    procedure = start.procedure
    const { end } = state
    if (end !== undefined && (direction === 'forward' || end.undone === true)) {
      return { outcome: end.outcome, changed: end.changed, failures: end.error ? [end.error] : [], open: false }
    }
    return inWorldOf(journal, context, (world) => {
      if (direction === 'back') return undoRun(journal, world, controlOf(context))
      journal.append({ type: 'resumed', by: decidedBy, pid: process.pid })
      return runPlan(journal, world, controlOf(context))
    })
  })
  return summarize(procedure, run, ran, plan === undefined ? [] : ordersIn(plan))
}

/** Connects to the hosts that the run was begun on. */
async function inWorldOf(
  journal: Journal,
  context: CommandContext,
  work: (world: World) => Promise<RunResult>,
): Promise<RunResult> {
  const { targets } = fleetInput.parse(runState(journal.records).start?.input)
  const sites = await connectAll(targets, await localFile(ownNetops(context)), context)
  try {
    return await withWorld(new Map(sites.map((site) => [site.target.name, site])), context, work)
  } finally {
    await Promise.all(sites.map(({ connection }) => connection.close()))
  }
}

const ordersIn = (plan: Plan) =>
  stepsOf(plan).flatMap(({ act }) =>
    act.flatMap((effect) => (effect.kind === 'job' ? [hostOrder.parse(effect.input)] : [])),
  )
