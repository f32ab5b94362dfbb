// Carries out a plan from its beginning or from where its journal ends, with the operator's hooks before and after.
import { locate, NetopsError, type Outcome } from '../model/errors.ts'
import type { Failure, JournalRecord, RunRecord } from '../model/journal.ts'
import { partsOf, type Plan, type Step } from '../model/plan.ts'
import type { Branch } from './branch.ts'
import { Execution } from './execution.ts'
import { unstoppable, type Control } from './halt.ts'
import { requireStart, runState, type Journal } from './journal.ts'
import { resultsIn } from './results.ts'
import { StepLog } from './steps.ts'
import type { Executor } from './executor.ts'

export interface RunResult {
  readonly outcome: Outcome
  readonly changed: boolean
  /** Each failure, one a branch that failed. */
  readonly failures: readonly Failure[]
  /** The run has no end yet: a host was lost or the operator stopped it; `runs resume` goes on. */
  readonly open: boolean
}

/**
 * Runs the plan that a journal begins with to its end, or goes on with it: what the journal says is finished is not done
 * again, and a run that was turned back goes on turning back. Never throws for what happens in a step; the result and the
 * journal's last record say how it went.
 * @throws NetopsError `refused` when the journal's plan is not the one that was begun
 */
export async function runPlan(
  journal: Journal,
  executor: Executor,
  control: Control = unstoppable,
): Promise<RunResult> {
  const state = runState(journal.records)
  const start = requireStart(nameOf(state.start), state)
  const execution = new Execution(start.plan, journal, executor, control)
  if (state.direction === 'back') return settle(journal, await execution.back('done'), 'back')

  const refused = await runHooks('pre', { journal, executor, start, control })
  if (refused !== undefined) {
    const outcome = refused.code === 'interrupted' ? refused.code : 'failed'
    return settle(journal, { state: 'failed', outcome, changed: false, failures: [refused] }, 'forward')
  }
  const branch = await execution.forward()
  // A part that had stopped before the operator decided to go back is taken back like the others.
  const turned = control.undo.aborted && (branch.state === 'open' || branch.state === 'parked')
  if (branch.state === 'halted' || turned) {
    journal.append({ type: 'undo', by: start.by, pid: process.pid })
    return settle(journal, stoppedBy(await execution.back('interrupted')), 'back')
  }
  if (branch.state === 'open' || branch.state === 'parked') return settle(journal, branch, 'forward')
  const { outcome, changed, failures } = branch
  const failed = await runHooks('post', { journal, executor, start, control, result: { outcome, changed, failures } })
  return settle(journal, failed === undefined ? branch : afterPostHook(branch, failed), 'forward')
}

/** What {@link undoRun} would take back. */
export interface Undoable {
  /** Titles of the steps, in the order of undoing. */
  readonly steps: readonly string[]
  /** The title of the step that nothing before may be undone of, if one was done. */
  readonly committed: string | undefined
}

/** What of a run can still be undone, by its journal alone. */
export function undoableOf(records: readonly JournalRecord[], start: RunRecord): Undoable {
  const log = new StepLog(records)
  const { steps, committed } = undoOrder(start.plan, log)
  return { steps: steps.map(({ title }) => title), committed: committed?.title }
}

/** @throws NetopsError `refused` when nothing of a run can be undone, with the step that committed */
export function requireUndoable(records: readonly JournalRecord[], start: RunRecord): void {
  const { steps, committed } = undoableOf(records, start)
  if (steps.length > 0) return
  throw new NetopsError('refused', {
    message:
      committed === undefined
        ? `run ${start.run} changed nothing that could be undone`
        : `run ${start.run} can only go forward since "${committed}"`,
    hint: committed === undefined ? undefined : 'a deployment is taken back with netops rollback',
  })
}

interface UndoOrder {
  readonly steps: readonly Step[]
  readonly committed: Step | undefined
}

function undoOrder(plan: Plan, log: StepLog): UndoOrder {
  if (plan.kind === 'step') {
    const committed = plan.commits === true && log.progress(plan) === 'done' ? plan : undefined
    return { steps: committed === undefined && log.canUndo(plan) ? [plan] : [], committed }
  }
  const steps: Step[] = []
  let barrier: Step | undefined
  for (const member of partsOf(plan).toReversed()) {
    const inner = undoOrder(member, log)
    steps.push(...inner.steps)
    barrier ??= inner.committed
    // Beside a branch that committed, the others are undone all the same; before it, nothing is.
    if (barrier !== undefined && plan.mode === 'sequence') break
  }
  return { steps, committed: barrier }
}

/**
 * Takes a run back, whether it has ended or stands still: applies the undo effects that its journal holds, last first, down
 * to the last step that commits.
 * @throws NetopsError `refused` when there is nothing to take back, with the step that committed
 */
export async function undoRun(
  journal: Journal,
  executor: Executor,
  control: Control = unstoppable,
): Promise<RunResult> {
  const state = runState(journal.records)
  const start = requireStart(nameOf(state.start), state)
  if (state.direction === 'forward') {
    requireUndoable(journal.records, start)
    journal.append({ type: 'undo', by: start.by, pid: process.pid })
  } else if (state.end !== undefined) {
    throw new NetopsError('refused', { message: `run ${start.run} was undone already: ${state.end.outcome}` })
  }
  return settle(journal, await new Execution(start.plan, journal, executor, control).back('done'), 'back')
}

const nameOf = (start: RunRecord | undefined): string => start?.run ?? 'without a name'

/** Writes how it went, as an end or as a pause. */
function settle(journal: Journal, branch: Branch, direction: 'forward' | 'back'): RunResult {
  const failures = onceInterrupted(branch.failures)
  const result: RunResult = { ...branch, failures, open: branch.state === 'open' || branch.state === 'parked' }
  const { outcome, changed } = result
  const [error] = failures
  if (result.open) {
    journal.append({ type: 'parked', error: error ?? { code: outcome, message: 'it stopped before its end' } })
  } else {
    const undone = direction === 'back' ? { undone: true as const } : {}
    journal.append({ type: 'end', outcome, changed, ...undone, ...(error === undefined ? {} : { error }) })
  }
  return { outcome, changed, failures, open: result.open }
}

/** A stop reaches every branch; one word of it is enough. */
function onceInterrupted(failures: readonly Failure[]): readonly Failure[] {
  const first = failures.find(({ code }) => code === 'interrupted')
  return failures.filter((failure) => failure.code !== 'interrupted' || failure === first)
}

const stoppedBy = (branch: Branch): Branch => ({
  ...branch,
  failures: [{ code: 'interrupted', message: 'stopped by the operator, and taken back' }, ...branch.failures],
})

/** What was done stays done, and the failing hook is told beside it. */
const afterPostHook = (branch: Branch, failure: Failure): Branch => ({
  ...branch,
  outcome: branch.outcome === 'done' ? 'partly' : branch.outcome,
  failures: [...branch.failures, failure],
})

interface HookCall {
  readonly journal: Journal
  readonly executor: Executor
  readonly start: RunRecord
  readonly control: Control
  readonly result?: Omit<RunResult, 'open'>
}

/** Runs what is left of the hooks of one phase, in order; returns why one failed. A failing hook ends its phase. */
async function runHooks(
  phase: 'pre' | 'post',
  { journal, executor, start, control, result }: HookCall,
): Promise<Failure | undefined> {
  const before = journal.records.filter((record) => record.type === 'hook' && record.phase === phase)
  const failed = before.find((record) => record.type === 'hook' && record.error !== undefined)
  if (failed?.type === 'hook' && failed.error !== undefined) return failed.error
  const { run, procedure, at, by, input } = start
  const results = resultsIn(journal.records)
  const document = JSON.stringify({
    schema: 'netops/hook/v1',
    phase,
    run,
    procedure,
    started: at,
    by,
    input,
    ...result,
    ...(phase === 'post' && Object.keys(results).length > 0 ? { results } : {}),
  })
  for (const argv of (start.hooks?.[phase] ?? []).slice(before.length)) {
    // What was done is told whatever happens; before that, a stop begins nothing.
    if (phase === 'pre' && (control.stop.aborted || control.undo.aborted)) {
      return { code: 'interrupted', message: `stopped by the operator before the pre hook ${argv[0] ?? ''}` }
    }
    try {
      await executor.hook(argv, document, start.hooks?.folder)
      journal.append({ type: 'hook', phase, argv, outcome: 'done' })
    } catch (thrown) {
      const { code, message, hint } = locate(thrown, {})
      const error: Failure = {
        code,
        message: `the ${phase} hook ${argv[0] ?? ''} failed: ${message}`,
        ...(hint === undefined ? {} : { hint }),
      }
      journal.append({ type: 'hook', phase, argv, outcome: 'failed', error })
      return error
    }
  }
  return undefined
}
