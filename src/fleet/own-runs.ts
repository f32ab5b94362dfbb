// The operator's own runs, which lie on this machine and belong to no host.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describeRuns } from '../engine/run-file.ts'
import { oldRuns } from '../procedures/gc/clean-up.ts'
import type { CleanUp } from '../procedures/gc/fleet-procedure.ts'

/** Removes those that have ended and are old; returns their names. */
export async function removeOwnRuns(
  runs: string,
  cleanUp: CleanUp,
  mode: 'remove' | 'only look',
): Promise<readonly string[]> {
  const listed = (await describeRuns(runs)).map(({ run, at, state, sequence }) => ({
    run,
    sequence,
    at: at === '' ? undefined : Date.parse(at),
    over: state === 'ended',
    netops: undefined,
  }))
  const gone = oldRuns(listed, Date.now(), cleanUp).map(({ run }) => run)
  if (mode === 'remove') for (const run of gone) await rm(join(runs, run), { recursive: true, force: true })
  return gone
}
