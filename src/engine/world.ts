// The world as the engine acts on it. Drivers stand behind it; tests put a model in their place.
import type { Effect, Probe, ProbeAnswer } from '../model/effects.ts'
import type { OwnRecord, Pushed } from '../model/journal.ts'

export interface World {
  /** Applies one effect on a host; tolerates repetition. Returns whether the host was changed by it. */
  apply(host: string, effect: Effect, relay: Relay): Promise<boolean>
  probe(host: string, probe: Probe): Promise<ProbeAnswer>
  /**
   * Runs one of the operator's own commands with a JSON document on standard input.
   * @throws NetopsError `failed` when it does not end well
   */
  hook(argv: readonly string[], document: string): Promise<void>
  /** In ms; only differences count. */
  now(): number
  /** Returns after the time or, sooner, when the signal is aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>
}

/** What a step tells beside its result: a job's own journal records, so that an operator sees and keeps them, and bytes sent. */
export interface Relay {
  /** The last record that an earlier attempt passed on. */
  readonly last: OwnRecord | undefined
  pass(record: OwnRecord): void
  pushed(sent: Pushed): void
}
