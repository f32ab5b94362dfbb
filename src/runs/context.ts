// What carrying out a run may use of the outside. No terminal is needed for it.
import type { Sources } from '../config/file-sources.ts'
import type { Control } from '../engine/halt.ts'
import type { JournalRecord } from '../model/journal.ts'

/** Sees the records of a run, to show or to print them. */
export interface RunWatcher {
  /** A record of old: it is known, and not told again. */
  recall(record: JournalRecord): void
  /** A record that has just come. */
  see(record: JournalRecord): void
}

export interface RunContext {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Where the content of placed files is read, each command of theirs once. */
  readonly sources: Sources
  /** Where a line goes that no record holds. */
  readonly progress: (line: string) => void
  /** Aborted when the operator stops the run. */
  readonly signal: AbortSignal
  /** Aborted when the operator wants it taken back. */
  readonly undoSignal: AbortSignal
  /**
   * Says that a run answers to both: the first stops it after its step, the second takes back what was done. What is carried
   * out from here can be left when its hosts are not waited for; what runs on this host itself cannot.
   */
  readonly answerInterrupts: (carried: 'from here' | 'on this host') => void
  /** Watches one run from now on. */
  readonly watchRun: () => Promise<RunWatcher>
}

/** What the operator can ask of a run that is under way. */
export const controlOf = ({ signal, undoSignal }: Pick<RunContext, 'signal' | 'undoSignal'>): Control => ({
  stop: signal,
  undo: undoSignal,
})
