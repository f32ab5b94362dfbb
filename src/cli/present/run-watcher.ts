// Watches a run for a command: its progress on standard error, or with `--jsonl` its records on standard output.
import { shownJson } from '../../model/escape.ts'
import type { RunWatcher } from '../../runs/context.ts'
import type { CommandContext } from '../command.ts'

type Shown = Pick<CommandContext, 'color' | 'verbosity' | 'progress' | 'screen' | 'write'> & {
  readonly jsonl: boolean
}

/** Makes watchers. Drawing is loaded when the first run is watched: most commands run none. */
export const watcherFor =
  ({ jsonl, ...context }: Shown) =>
  async (): Promise<RunWatcher> => {
    if (jsonl) return { recall: () => undefined, see: (record) => context.write(shownJson(record)) }
    const { runProgress } = await import('./progress/run-progress.ts')
    return runProgress(context)
  }
