// Goes on with an operator's run whose netops was killed, or that lost a host: from its journal, not from fresh facts.
import { z } from 'zod'
import { runState } from '../engine/journal.ts'
import { runPlan } from '../engine/run.ts'
import { NetopsError } from '../model/errors.ts'
import { hostOrder } from '../model/order.ts'
import { stepsOf, type Plan } from '../model/plan.ts'
import type { CommandContext, CommandResult } from './command.ts'
import { target } from './fleet.ts'
import { connectAll, localFile, ownNetops, summarize } from './fleet-run.ts'
import { decidedBy, openJournal } from './run-support.ts'
import { worldOf } from './world.ts'

const fleetInput = z.object({ targets: z.array(target), netops: z.string() })

/** Finishes a fleet run; one that has ended is only told again. */
export async function resumeFleet(runs: string, run: string, context: CommandContext): Promise<CommandResult> {
  const journal = await openJournal(runs, run, context)
  try {
    const { start, end } = runState(journal.records)
    if (start === undefined) throw new NetopsError('refused', { message: `run ${run} has no beginning in its journal` })
    const orders = ordersIn(start.plan)
    if (end !== undefined) {
      const failures = end.error === undefined ? [] : [end.error]
      const result = { outcome: end.outcome, changed: end.changed, failures, open: false }
      return summarize(start.procedure, run, { result, records: journal.records }, orders)
    }
    const { targets } = fleetInput.parse(start.input)
    const sites = await connectAll(targets, await localFile(ownNetops(context)), context)
    try {
      journal.append({ type: 'resumed', by: decidedBy, pid: process.pid })
      const members = new Map(sites.map((site) => [site.target.name, site]))
      const result = await runPlan(start.plan, journal, worldOf(members, context.signal))
      return summarize(start.procedure, run, { result, records: journal.records }, orders)
    } finally {
      await Promise.all(sites.map(({ connection }) => connection.close()))
    }
  } finally {
    journal.close()
  }
}

const ordersIn = (plan: Plan) =>
  stepsOf(plan).flatMap(({ act }) =>
    act.flatMap((effect) => (effect.kind === 'job' ? [hostOrder.parse(effect.input)] : [])),
  )
