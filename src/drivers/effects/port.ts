// How each kind of effect is shown and applied. Every port registers its own kinds; runs/effects.ts holds them together.
import type { Sources } from '../../config/file-sources.ts'
import type { OwnRecord, Pushed } from '../../model/journal.ts'
import type { Json } from '../../model/json.ts'
import type { HostCommand, HostConnection } from '../hosts/port.ts'
import type { ServiceManager } from '../services/port.ts'

/** What an effect reports beside its result: the records of a host run, so that an operator sees and keeps them, bytes sent, and work. */
export interface StepReport {
  /** The id of the step. */
  readonly step: string
  /** It is being undone, which is carried through whatever the operator says meanwhile. */
  readonly undoing?: true
  /** The last record that an earlier attempt passed on. */
  readonly last: OwnRecord | undefined
  pass(record: OwnRecord): void
  pushed(sent: Pushed): void
  /** How far work is: so many of so many things, or bytes. */
  progress(done: number, of: number, unit?: 'bytes'): void
  /** What work came to. */
  result(value: Json): void
}

/** Where an effect is applied, and what it may use there. */
export interface EffectSite {
  readonly host: string
  readonly services: ServiceManager
  /** The way to the host, made when it is first needed. */
  readonly connection: () => Promise<HostConnection>
  /** Where the content of files comes from that an effect names by their source. */
  readonly sources: Sources
  readonly report: StepReport
  /** Where the operator hears of what no record holds. */
  readonly progress: (line: string) => void
}

/** Effects that are exact commands: a dry run prints them, a run runs them. Pure. */
export interface CommandEffect<E> {
  readonly commands: (effect: E, services: ServiceManager) => readonly HostCommand[]
  /** Whether the host counts as changed by it. */
  readonly changes: boolean
}

/** Effects that are more than commands. */
export interface AppliedEffect<E> {
  /** Pure: what it comes to, one command a line, as a dry run prints it. */
  readonly show: (effect: E, services: ServiceManager) => readonly string[]
  /** Applies it; tolerates repetition. Returns whether the host was changed by it. */
  readonly apply: (effect: E, site: EffectSite) => Promise<boolean>
}

export type EffectHandler<E> = CommandEffect<E> | AppliedEffect<E>

/** A handler for each kind of a union of effects. */
export type EffectHandlers<E extends { readonly kind: string }> = {
  readonly [Kind in E['kind']]: EffectHandler<Extract<E, { readonly kind: Kind }>>
}
