// What may be redrawn in place at the bottom of a terminal.
import type { Line } from './painted.ts'

/** Something that redraws itself in place below the lines of progress. */
export interface View {
  /** Prints a line of progress on standard error. */
  line(text: Line): void
  stop(): void
}

/** A terminal at standard error that may be redrawn in place. */
export interface Screen {
  /** Whether standard output goes to a terminal too. */
  readonly output: boolean
  size(): { readonly columns: number; readonly rows: number }
  /** What is written commands it: text must be rendered before. */
  write(text: string): void
  /** Puts a view in the place of the spinner; it is stopped when the command ends. */
  show(view: () => View): void
}
