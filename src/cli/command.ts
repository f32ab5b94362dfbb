// A command is data plus a handler. The handler gets a context, returns a result, and throws; only main.ts prints and exits.
import type { Outcome } from '../model/errors.ts'
import type { FleetContext } from '../fleet/context.ts'
import type { RunContext } from '../runs/context.ts'
import type { OutputStream } from '../system/exec.ts'
import type { Line } from './painted.ts'
import type { Screen } from './screen.ts'

/** Standard output or standard error, for what hosts say. */
export interface LineOutput {
  /** Whether a terminal shows it, so that control characters must not get there. */
  readonly terminal: boolean
  readonly color: boolean
  /** Resolves when more may come: a slow reader slows whoever waits for it. */
  readonly write: (bytes: Uint8Array) => Promise<void>
}

/** One `--option` of a command, in commander's notation: `--root <dir>`, `-n, --dry-run`. */
export interface OptionSpec {
  readonly flags: string
  readonly description: string
  readonly default?: string | boolean | undefined
  /** It may be given several times: the handler gets a list. */
  readonly repeats?: true
}

/** What a handler gives back: data for `--json`, text for people, and how it went. */
export interface CommandResult {
  readonly outcome: Outcome
  /** Merged into the JSON document beside schema, command, ok, started and ended. */
  readonly data: Readonly<Record<string, unknown>>
  /** What people read on standard output; without a final newline. */
  readonly text: string
}

/** What every handler may use of the outside; built once by run-cli.ts, or by a test. */
export interface CommandContext extends FleetContext, RunContext {
  /** Whether `--json` was given: then nothing but the document goes to standard output. */
  readonly json: boolean
  /** How much to tell: 0, 1 with -v, 2 with -vv. */
  readonly verbosity: number
  /** A line on standard output, at once (for streams such as `runs follow`). */
  readonly write: (line: Line) => void
  /** Where a line of progress goes. */
  readonly progress: (line: Line) => void
  /** Where lines of hosts go as they come, byte for byte. */
  readonly output: Readonly<Record<OutputStream, LineOutput>>
  /** Standard input, as it comes. */
  readonly readBytes: () => AsyncIterable<Uint8Array>
  /** Standard input, read to its end. */
  readonly readInput: () => Promise<string>
  /** Asks whoever sits at the terminal; undefined where nobody does. */
  readonly ask?: ((question: string) => Promise<string>) | undefined
  /** Whether standard error is a terminal that shows colours. */
  readonly color: boolean
  /** Where several hosts are shown live; undefined where standard error cannot or shall not be redrawn. */
  readonly screen?: Screen | undefined
}

/** Options as commander parsed them: camel-cased names. */
export type RawOptions = Readonly<Record<string, unknown>>

export interface Invocation {
  readonly options: RawOptions
  readonly args: readonly string[]
}

export interface Command {
  /** The words after `netops`: `deploy`, `lab up`. */
  readonly name: string
  readonly summary: string
  /** Positional arguments in commander's notation, e.g. `[file...]`. */
  readonly args?: string
  readonly examples: readonly string[]
  readonly options: readonly OptionSpec[]
  readonly hidden?: true
  /** It runs plans: `--jsonl` prints the records of their journals before the result. */
  readonly events?: true
  /** It prints lines as they come all the time, so that no spinner belongs below them. */
  readonly streams?: true
  /** It goes on only to print lines: once they do not arrive any more, it ends. */
  readonly endsUnread?: true
  run(invocation: Invocation, context: CommandContext): Promise<CommandResult>
}

/** Types a command where it is written. */
export const defineCommand = (command: Command): Command => command
