// Starts a host run so that it outlives this process and the connection; one that is at work is left alone.
import { join } from 'node:path'
import { readJournal, runState } from '../engine/journal.ts'
import { unmarkedEnvironment } from '../drivers/services/root-processes.ts'
import { isCarried } from '../engine/lease.ts'
import { hostPaths } from '../model/paths.ts'
import { execText, start } from '../system/exec.ts'
import { requireHostUndo, type Direction } from './host-run.ts'

/** @param self the command that runs this very netops */
export async function startDetached(
  root: string,
  run: string,
  direction: Direction,
  self: readonly string[],
): Promise<void> {
  const paths = hostPaths(root)
  const state = runState((await readJournal(paths.runs, run)) ?? [])
  const over = state.end !== undefined && (direction === 'forward' || state.end.undone === true)
  if (over || (await isCarried(paths.runs, run))) return
  const argv = [...self, 'host', 'run', run, '--root', root, ...(direction === 'back' ? ['--undo'] : [])]
  if (root === '/') {
    // systemd-run(1): a unit of its own, so that stopping the SSH session does not stop it. --collect forgets it when it ends.
    const unit = `netops-${run.replace(/[^A-Za-z0-9_.-]/g, '-')}${direction === 'back' ? '-undo' : ''}`
    await execText(['systemd-run', `--unit=${unit}`, '--collect', '--quiet', ...argv])
  } else {
    await start(argv, {
      output: join(paths.runs, run, 'output.log'),
      detached: true,
      // A service may deploy itself: the run must not end with it.
      env: unmarkedEnvironment(),
    })
  }
}

/**
 * As {@link startDetached}, to take a run back.
 * @throws NetopsError `refused` at once when a later run changed the host, or nothing can be undone
 */
export async function startUndo(root: string, run: string, self: readonly string[]): Promise<void> {
  await requireHostUndo(root, run)
  await startDetached(root, run, 'back', self)
}
