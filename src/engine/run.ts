// Carries out a plan: journals each step, waits, undoes in reverse after a failure, and goes on where a journal ends.
import { joinOutcomes, locate, NetopsError, type Outcome } from '../model/errors.ts'
import { wantedBy, type Effect, type Probe, type ProbeAnswer } from '../model/effects.ts'
import type { Failure, OwnRecord } from '../model/journal.ts'
import { stepsOf, type Group, type Plan, type Step, type Wait } from '../model/plan.ts'
import type { Journal } from './journal.ts'

/** The world as the engine acts on it. Drivers stand behind it; tests put a model in their place. */
export interface World {
  /** Applies one effect on a host; tolerates repetition. Returns whether the service there was changed by it. */
  apply(host: string, effect: Effect, relay: Relay): Promise<boolean>
  probe(host: string, probe: Probe): Promise<ProbeAnswer>
  now(): number
  sleep(ms: number): Promise<void>
}

/** Where a job's own journal records go, so that an operator sees and keeps them. */
export interface Relay {
  /** The number of the last record that an earlier attempt passed on; 0 for none. */
  readonly seen: number
  pass(record: OwnRecord): void
}

export interface RunResult {
  readonly outcome: Outcome
  readonly changed: boolean
  /** Each failure, one a branch that failed. */
  readonly failures: readonly Failure[]
  /** The run has no end yet: a host was lost or the operator left; `runs resume` goes on. */
  readonly open: boolean
}

/** How far a step has come, by the journal. */
type Progress = 'begun' | 'done' | 'unchanged' | 'failed' | 'undoing' | 'undone' | 'undo-failed'

const probeEveryMs = 1000 // often enough to react, seldom enough not to load a starting server

/**
 * Runs a plan to its end, or goes on with one: what the journal says is finished is not done again.
 * Never throws for what happens in a step; the result and the journal's last record say how it went.
 */
export async function runPlan(plan: Plan, journal: Journal, world: World): Promise<RunResult> {
  const result = await new Execution(journal, world).node(plan)
  if (!result.open) {
    const [error] = result.failures
    journal.append({
      type: 'end',
      outcome: result.outcome,
      changed: result.changed,
      ...(error === undefined ? {} : { error }),
    })
  }
  return result
}

const fine = (changed: boolean): RunResult => ({ outcome: 'done', changed, failures: [], open: false })

class Execution {
  readonly #journal: Journal
  readonly #world: World
  readonly #progress = new Map<string, Progress>()
  readonly #errors = new Map<string, Failure>()
  /** Steps that changed the service, so that the end can say whether a change was kept. */
  readonly #changed = new Set<string>()

  constructor(journal: Journal, world: World) {
    this.#journal = journal
    this.#world = world
    for (const record of journal.records) {
      if (record.type === 'begin') this.#progress.set(record.step, 'begun')
      else if (record.type === 'failed') {
        this.#progress.set(record.step, 'failed')
        this.#errors.set(record.step, record.error)
      } else if ('step' in record && record.type !== 'relayed') this.#progress.set(record.step, record.type)
      if (record.type === 'done' && record.changed) this.#changed.add(record.step)
    }
  }

  async node(plan: Plan): Promise<RunResult> {
    if (plan.kind === 'step') return this.#step(plan)
    return plan.mode === 'sequence' ? this.#sequence(plan) : this.#parallel(plan)
  }

  async #step(step: Step): Promise<RunResult> {
    const before = this.#progress.get(step.id)
    if (before === 'done' || before === 'unchanged') return fine(this.#changed.has(step.id))
    if (before !== undefined && before !== 'begun') return this.#turnedBack(step)
    if (step.unchanged) {
      this.#mark(step, 'unchanged')
      return fine(false)
    }
    try {
      this.#mark(step, 'begin')
      let changed = false
      for (const effect of step.act) {
        const did = await this.#world.apply(step.host, effect, this.#relay(step))
        changed = did || changed
      }
      if (step.until !== undefined) await this.#wait(step, step.until)
      this.#journal.append({ type: 'done', step: step.id, changed })
      this.#progress.set(step.id, 'done')
      if (changed) this.#changed.add(step.id)
      return fine(changed)
    } catch (thrown) {
      const error = failureOf(thrown, step)
      // The host is out of reach, or the operator left: nothing more can be known or undone from here.
      if (thrown instanceof NetopsError && thrown.resumable) {
        return { outcome: error.code, changed: false, failures: [error], open: true }
      }
      this.#errors.set(step.id, error)
      this.#journal.append({ type: 'failed', step: step.id, error })
      this.#progress.set(step.id, 'failed')
      return this.#turnedBack(step)
    }
  }

  #turnedBack(step: Step): RunResult {
    const error = this.#errors.get(step.id)
    // Without an error of its own it was undone because another failed, which names the reason.
    if (error === undefined) return { outcome: 'failed', changed: false, failures: [], open: false }
    return { outcome: error.code, changed: error.code === 'partly', failures: [error], open: false }
  }

  async #sequence(group: Group): Promise<RunResult> {
    let changed = false
    // A run that was turning back when it was cut off goes on turning back.
    const broken = group.each.findIndex((member) => stepsOf(member).some((step) => this.#errors.has(step.id)))
    for (const [index, member] of group.each.entries()) {
      if (broken >= 0 && index < broken) continue
      const result = await this.node(member)
      changed ||= result.changed
      if (result.outcome === 'done') continue
      if (result.open) return { ...result, changed }
      return this.#undo(group, result)
    }
    return fine(changed)
  }

  async #parallel(group: Group): Promise<RunResult> {
    const queue = [...group.each]
    const results: RunResult[] = []
    const worker = async (): Promise<void> => {
      for (let member = queue.shift(); member !== undefined; member = queue.shift())
        results.push(await this.node(member))
    }
    await Promise.all(Array.from({ length: Math.max(1, group.limit ?? group.each.length) }, worker))
    const joined: RunResult = {
      outcome: joinOutcomes(results),
      changed: results.some((result) => result.changed),
      failures: results.flatMap((result) => result.failures),
      open: results.some((result) => result.open),
    }
    return joined.outcome === 'done' || joined.open || group.onFailure === 'keep' ? joined : this.#undo(group, joined)
  }

  /** Undoes what ran, last first, back to the last step that commits. */
  async #undo(group: Group, failed: RunResult): Promise<RunResult> {
    const ran = stepsOf(group).filter((step) => touched.has(this.#progress.get(step.id) ?? 'none'))
    const committed = ran.findLastIndex((step) => step.commits === true && this.#progress.get(step.id) === 'done')
    let restored = false
    let undone = 0
    const undoFailures: Failure[] = []
    for (const step of ran.slice(committed + 1).reverse()) {
      if (step.undo.length === 0 && step.undoUntil === undefined) continue
      const error = this.#progress.get(step.id) === 'undone' ? undefined : await this.#undoStep(step)
      if (error !== undefined && this.#progress.get(step.id) === 'undoing') {
        return { outcome: error.code, changed: true, failures: [...failed.failures, error], open: true }
      }
      undone += 1
      if (error !== undefined) undoFailures.push(error)
      else if (step.undoUntil?.probe.kind === 'ready') restored = true
    }
    const kept = committed >= 0 || undoFailures.length > 0
    // What members changed is put back now; only what failed says how it ends.
    const joined = joinOutcomes(failed.failures.map(({ code }) => ({ outcome: code, changed: false })))
    const cause = joined === 'done' ? failed.outcome : joined
    const putBack = undone === 0 ? cause : afterUndo(cause, restored)
    const outcome = kept ? 'partly' : putBack
    const failures = [...failed.failures, ...undoFailures]
    return { outcome, changed: outcome === 'partly', failures, open: false }
  }

  /** Returns why it failed; the step then still counts as `undoing` if a resume is to go on with it. */
  async #undoStep(step: Step): Promise<Failure | undefined> {
    try {
      this.#mark(step, 'undoing')
      for (const effect of step.undo) await this.#world.apply(step.host, effect, this.#relay(step))
      if (step.undoUntil !== undefined) await this.#wait(step, step.undoUntil)
      this.#mark(step, 'undone')
      return undefined
    } catch (thrown) {
      const cause = failureOf(thrown, step)
      if (thrown instanceof NetopsError && thrown.resumable) return cause
      const error: Failure = { ...cause, code: 'partly', message: `undoing "${step.title}" failed: ${cause.message}` }
      this.#journal.append({ type: 'undo-failed', step: step.id, error })
      this.#progress.set(step.id, 'undo-failed')
      return error
    }
  }

  async #wait(step: Step, wait: Wait): Promise<void> {
    const deadline = this.#world.now() + wait.deadlineMs
    let goodSince: number | undefined
    let startId: string | undefined
    for (;;) {
      const answer = await this.#world.probe(step.host, wait.probe)
      const now = this.#world.now()
      if (!answer.ok || answer.startId !== startId) goodSince = undefined
      startId = answer.startId
      // Held too short a time when the deadline comes: let a good streak end, but start no new one after it.
      if (answer.ok && now <= deadline) goodSince ??= now
      if (goodSince !== undefined && now - goodSince >= wait.holdForMs) return
      if (goodSince === undefined && (answer.hopeless === true || now >= deadline)) {
        const how = answer.hopeless === true ? '' : ` within ${wait.deadlineMs / 1000} s`
        throw new NetopsError('unhealthy', {
          message: `not ${wantedBy(wait.probe)}${how}: ${answer.seen}`,
          hint: answer.hint,
        })
      }
      const left = goodSince === undefined ? deadline - now : goodSince + wait.holdForMs - now
      await this.#world.sleep(Math.max(10, Math.min(probeEveryMs, left)))
    }
  }

  #relay(step: Step): Relay {
    const seen = this.#journal.records.findLast((record) => record.type === 'relayed' && record.step === step.id)
    return {
      seen: seen?.type === 'relayed' ? seen.record.seq : 0,
      pass: (record) => this.#journal.append({ type: 'relayed', step: step.id, record }),
    }
  }

  #mark(step: Step, type: 'begin' | 'unchanged' | 'undoing' | 'undone'): void {
    this.#journal.append({ type, step: step.id })
    this.#progress.set(step.id, type === 'begin' ? 'begun' : type)
  }
}

const touched = new Set<string>(['begun', 'done', 'failed', 'undoing', 'undone', 'undo-failed'])

/** What a failure is called once everything is put back. */
function afterUndo(outcome: Outcome, restored: boolean): Outcome {
  if (restored) return 'rolled-back'
  return outcome === 'unhealthy' ? 'failed' : outcome
}

function failureOf(thrown: unknown, step: Step): Failure {
  const error = locate(thrown, { host: step.host, step: step.id })
  return {
    code: error.code,
    message: error.message,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(error.host === undefined ? {} : { host: error.host }),
    ...(error.step === undefined ? {} : { step: error.step }),
  }
}
