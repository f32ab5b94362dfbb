// Why a run or a part of it stops before its end: the operator said so, or what runs beside it failed.

/** What the operator wants of a run that is under way: to stop after its current step, or to go back. */
export interface Control {
  readonly stop: AbortSignal
  readonly undo: AbortSignal
}

/** Nobody stops the run. */
export const unstoppable: Control = { stop: new AbortController().signal, undo: new AbortController().signal }

export type HaltReason = 'stop' | 'undo' | 'sibling'

/** Thrown out of a wait that was ended by a halt. */
export class Halted extends Error {}

/** One level of stopping: a group's own, and everything above it. */
export class Halt {
  readonly signal: AbortSignal
  readonly #control: Control
  readonly #siblings: readonly AbortController[]

  constructor(control: Control, siblings: readonly AbortController[] = []) {
    this.#control = control
    this.#siblings = siblings
    this.signal = AbortSignal.any([control.stop, control.undo, ...siblings.map((one) => one.signal)])
  }

  /** Undefined as long as it may go on. */
  get reason(): HaltReason | undefined {
    if (this.#control.undo.aborted) return 'undo'
    if (this.#siblings.some((one) => one.signal.aborted)) return 'sibling'
    return this.#control.stop.aborted ? 'stop' : undefined
  }

  /** A level below, which can be halted by itself. */
  below(): { halt: Halt; stopSiblings: () => void } {
    const own = new AbortController()
    return { halt: new Halt(this.#control, [...this.#siblings, own]), stopSiblings: () => own.abort() }
  }
}
