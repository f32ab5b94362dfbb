// What the engine acts through. Drivers stand behind it; tests put a model in their place.
import type { Effect, Probe, ProbeAnswer } from '../model/effects.ts'
import type { StepReport } from '../drivers/effects/port.ts'

export type { StepReport } from '../drivers/effects/port.ts'

export interface Executor {
  /** Applies one effect on a host; tolerates repetition. Returns whether the host was changed by it. */
  apply(host: string, effect: Effect, report: StepReport): Promise<boolean>
  /**
   * @param host where the question is asked from: a host of the run, or `operatorHost` of model/plan.ts
   * @param first the first answer of the same wait
   */
  probe(host: string, probe: Probe, first?: ProbeAnswer): Promise<ProbeAnswer>
  /**
   * The last lines of what a probe's service printed since a wait's first answer; none where there is nothing to tell.
   * @param host as for {@link probe}
   */
  lastWords(host: string, probe: Probe, first: ProbeAnswer): Promise<readonly string[]>
  /**
   * Runs one of the operator's own commands with a JSON document on standard input.
   * @param folder where it runs; without one where netops does
   * @throws NetopsError `failed` when it does not end well, `interrupted` when it is stopped
   */
  hook(argv: readonly string[], document: string, folder: string | undefined): Promise<void>
  /** In ms; only differences count. */
  now(): number
  /** Returns after the time or, sooner, when the signal is aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>
}
