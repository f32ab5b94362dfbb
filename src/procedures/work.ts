// Work: what a host's netops does itself instead of by commands, item by item, with a typed result.
import type * as z from 'zod'
import type { OpenPlaceOf } from '../drivers/storage/port.ts'
import type { Json } from '../model/json.ts'

/** What work may use while it goes on. */
export interface WorkTools {
  /** Aborted when the operator stops the run: the work ends after the item under way. */
  readonly signal: AbortSignal
  /** Whether an item was done before this process came. */
  readonly isDone: (key: string) => boolean
  readonly done: (key: string) => void
  /** Shown to whoever follows the run, at most once a second: so many of so many things, or bytes. */
  readonly progress: (done: number, of: number, unit?: 'bytes') => void
  /** Opens a place for copies. */
  readonly openPlace: OpenPlaceOf
}

export interface Work<Input, Result extends Json> {
  /** What effects call it by. */
  readonly name: string
  readonly input: z.ZodType<Input>
  /** Pure: what it comes to, one command a line, as a dry run prints it. */
  readonly show: (input: Input) => readonly string[]
  /** Whether the host counts as changed by it. */
  readonly changes: boolean
  /** It is over in seconds, and is done even where the run is to stop: so it can also take back. */
  readonly brief?: true
  /** Tolerates repetition; returns early, with what it came to, when the signal is aborted. */
  readonly run: (input: Input, tools: WorkTools) => Promise<Result>
}

/** Work with any input: it is parsed first. */
export interface AnyWork {
  readonly name: string
  readonly changes: boolean
  readonly brief: boolean
  show(input: unknown): readonly string[]
  run(input: unknown, tools: WorkTools): Promise<Json>
}

export const defineWork = <Input, Result extends Json>({
  name,
  input: schema,
  changes,
  brief,
  ...work
}: Work<Input, Result>): AnyWork => ({
  name,
  changes,
  brief: brief === true,
  show: (input) => work.show(schema.parse(input)),
  run: (input, tools) => work.run(schema.parse(input), tools),
})
