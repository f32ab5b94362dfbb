// A fleet run: its plan is carried out from here, and each host does its share by itself.
import * as z from 'zod'
import { begin, requireStart, runState, type Journal } from '../engine/journal.ts'
import { forgetRun, openRun, type RunDescription } from '../engine/run-file.ts'
import { runPlan, undoRun, type RunResult } from '../engine/run.ts'
import type { Executor } from '../engine/executor.ts'
import type { EndRecord, Hooks } from '../model/journal.ts'
import { stepsOf, type Plan } from '../model/plan.ts'
import { target, type Target } from '../model/target.ts'
import type { HostRequest } from '../procedures/host-request.ts'
import { parseRequest } from '../procedures/list.ts'
import { clearBrought } from './brought.ts'
import { controlOf, type RunContext } from './context.ts'
import { executorOf } from './executor.ts'
import type { Direction } from './host-run.ts'
import type { RunHost } from './hosts.ts'
import { carrying, decidedBy, plain, type Ran } from './run-journal.ts'
import { readStandings, type Standings } from './standings.ts'

/** What a fleet run is begun with, and what a resume reads back. */
export const fleetInput = z.object({
  targets: z.array(target),
  netops: z.string(),
  environment: z.string().optional(),
})

/** A fleet run before it begins. */
export interface FleetRunStart {
  /** The folder of the operator's runs. */
  readonly runs: string
  readonly run: string
  readonly procedure: string
  /** The fleet file, if there is one: absolute. */
  readonly fleetFile: string | undefined
  readonly input: z.infer<typeof fleetInput>
  readonly facts: unknown
  readonly plan: Plan
  readonly hooks: Hooks | undefined
}

type Hosts = ReadonlyMap<string, RunHost>

/** Records a plan and carries it out. */
export async function beginFleetRun(
  start: FleetRunStart,
  hosts: Hosts,
  context: RunContext,
): Promise<Ran & { readonly standings: Standings }> {
  const { runs, run, procedure, plan, hooks } = start
  const ran = await carrying(runs, run, context, async (journal) => {
    const input = plain(start.input)
    const started = new Date()
    const { environment } = start.input
    const description: RunDescription = {
      run,
      scope: 'fleet',
      ...(start.fleetFile === undefined ? {} : { fleetFile: start.fleetFile }),
      ...(environment === undefined ? {} : { environment }),
      procedure,
      started: started.toISOString(),
    }
    await openRun(runs, description, started)
    begin(journal, { run, procedure, by: decidedBy, input, facts: plain(start.facts), plan, hooks })
    return acting(hosts, context, (executor) => runPlan(journal, executor, controlOf(context)))
  })
  await clearBrought(hosts, requestsIn(plan), ran.result)
  if (neverBegan(ran)) await forgetRun(runs, run)
  return { ...ran, standings: await readStandings(hosts, requestsIn(plan), ran.result) }
}

/** Whether a run was kept from its hosts by somebody else's: nothing was done for it but to ask. */
function neverBegan({ result, records }: Ran): boolean {
  if (result.outcome !== 'locked' || result.open || result.changed) return false
  return !records.some(({ type }) => type === 'relayed' || type === 'hook')
}

/** What is known of a fleet run that goes on. */
export interface ResumedFleetRun extends Ran {
  readonly procedure: string
  /** All hosts of the run, in the order of the fleet. */
  readonly hosts: readonly string[]
  readonly requests: readonly HostRequest[]
  readonly standings: Standings
}

/**
 * Finishes a fleet run, or takes it back, from its journal and not from fresh facts; one that has ended is only told again.
 * @param hostsOf the ways to the hosts that it was begun on; nothing is connected before it is needed
 */
export async function resumeFleetRun(
  { runs, run, direction }: { readonly runs: string; readonly run: string; readonly direction: Direction },
  hostsOf: (targets: readonly Target[]) => Hosts,
  context: RunContext,
): Promise<ResumedFleetRun> {
  let start: ReturnType<typeof requireStart> | undefined
  let standings: Standings = new Map()
  const ran = await carrying(runs, run, context, async (journal) => {
    const state = runState(journal.records)
    start = requireStart(run, state)
    const { procedure, at, plan } = start
    const hosts = hostsOf(fleetInput.parse(start.input).targets)
    try {
      const result = await unlessOver(state.end, direction, async () => {
        await openRun(runs, { run, scope: 'fleet', procedure, started: at }, new Date())
        return acting(hosts, context, (executor) => goOn(journal, direction, executor, context))
      })
      await clearBrought(hosts, requestsIn(plan), result)
      standings = await readStandings(hosts, requestsIn(plan), result)
      return result
    } finally {
      await Promise.all([...hosts.values()].map((host) => host.close()))
    }
  })
  if (start === undefined) throw new TypeError(`run ${run} goes on without its beginning`)
  const { procedure, plan, input } = start
  const hosts = fleetInput.parse(input).targets.map(({ name }) => name)
  return { ...ran, procedure, hosts, requests: requestsIn(plan), standings }
}

/** Goes on with a run; one that is over as asked is only told again. */
async function unlessOver(
  end: EndRecord | undefined,
  direction: Direction,
  work: () => Promise<RunResult>,
): Promise<RunResult> {
  if (end === undefined || (direction === 'back' && end.undone !== true)) return work()
  return { outcome: end.outcome, changed: end.changed, failures: end.error ? [end.error] : [], open: false }
}

function goOn(journal: Journal, direction: Direction, executor: Executor, context: RunContext): Promise<RunResult> {
  if (direction === 'back') return undoRun(journal, executor, controlOf(context))
  journal.append({ type: 'resumed', by: decidedBy, pid: process.pid })
  return runPlan(journal, executor, controlOf(context))
}

/** Does something by an executor; what goes on beside it ends with it. */
async function acting<T>(hosts: Hosts, context: RunContext, work: (executor: Executor) => Promise<T>): Promise<T> {
  const executor = executorOf(hosts, context)
  try {
    return await work(executor)
  } finally {
    executor.close()
  }
}

/** What each host is asked for by a plan. */
const requestsIn = (plan: Plan): readonly HostRequest[] =>
  stepsOf(plan).flatMap(({ act }) =>
    act.flatMap((effect) => (effect.kind === 'host-run' ? [parseRequest(effect.input)] : [])),
  )
