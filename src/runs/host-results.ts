// How each host of a fleet run ended, from the run's records. Pure.
import { exitCodes, type Outcome } from '../model/errors.ts'
import { addPushed, type EndRecord, type JournalRecord, type Pushed } from '../model/journal.ts'
import { runState } from '../engine/journal.ts'
import { resultsIn } from '../engine/results.ts'
import { StepLog } from '../engine/steps.ts'
import type { Json } from '../model/json.ts'
import { stepsOf, type Plan } from '../model/plan.ts'
import type { Ran } from './run-journal.ts'

export interface HostResult {
  readonly host: string
  readonly outcome: Outcome
  readonly exit: number
  readonly changed: boolean
  /** What was sent to it by pushes, of how much there was to bring. */
  readonly pushed?: Pushed
  readonly message?: string
  /** The last lines of what its service said. */
  readonly log?: readonly string[]
  /** What the work of its run came to, by step. */
  readonly results?: Readonly<Record<string, Json>>
}

export function hostResults(ran: Ran, hosts: readonly string[]): readonly HostResult[] {
  const results = Object.entries(resultsIn(ran.records))
  const isTakenBack = takenBackIn(ran.records)
  const { start } = runState(ran.records)
  const always = new Set(start === undefined ? [] : alwaysIn(start.plan))
  return hosts.map((host) => {
    // Under the host's own steps: `journals` for `web1/gc/journals`.
    const worked = results.flatMap(([step, result]) =>
      step.startsWith(`${host}/`) ? [[step.split('/').slice(2).join('/'), result] as const] : [],
    )
    const end = ran.records.findLast(
      (record): record is Extract<JournalRecord, { type: 'relayed' }> & { record: EndRecord } =>
        record.type === 'relayed' && record.step.startsWith(`${host}/`) && record.record.type === 'end',
    )?.record
    const pushed = ran.records
      .flatMap((record) => (record.type === 'done' && record.step.startsWith(`${host}/`) ? (record.pushed ?? []) : []))
      .reduce<Pushed | undefined>(addPushed, undefined)
    const own = ran.result.failures.filter((entry) => entry.host === host)
    const [failure] = own
    // What had to follow whatever happened, and did not: then the host is not as it was, as the run's own end says. Of one
    // that is out of reach that is what matters.
    const unclear = own.some(({ step, code }) => code !== 'unreachable' && step !== undefined && always.has(step))
    const outcome =
      (unclear ? 'partly' : failure?.code) ??
      end?.outcome ??
      (ran.result.outcome === 'done' || isTakenBack(host) ? 'done' : 'failed')
    return {
      host,
      outcome,
      exit: exitCodes[outcome].exit,
      changed: end?.changed ?? false,
      ...(pushed === undefined ? {} : { pushed }),
      ...(failure === undefined ? {} : { message: failure.message }),
      ...(failure?.log === undefined ? {} : { log: failure.log }),
      ...(worked.length === 0 ? {} : { results: Object.fromEntries(worked) }),
    }
  })
}

/** The steps that run last, whatever happened. */
const alwaysIn = (plan: Plan): readonly string[] =>
  plan.kind === 'step' ? [] : [...(plan.always ?? []).map(({ id }) => id), ...plan.each.flatMap(alwaysIn)]

/** Whether nothing of a host is left to be taken back, in a run that goes back. */
function takenBackIn(records: readonly JournalRecord[]): (host: string) => boolean {
  const { start, direction } = runState(records)
  if (start === undefined || direction === 'forward') return () => false
  const log = new StepLog(records)
  const steps = Map.groupBy(stepsOf(start.plan), ({ host }) => host)
  return (host) => !(steps.get(host) ?? []).some((step) => log.canUndo(step))
}
