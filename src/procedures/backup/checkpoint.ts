// Has the server take a checkpoint before the archive: what the live database holds is in no other file.
import * as z from 'zod'
import { formatAge } from '../../backups/standing.ts'
import { checkpointFolder, checkpointsIn } from '../../backups/state-copies.ts'
import { backupId } from '../../model/backup.ts'
import type { WorkEffect } from '../../model/effects.ts'
import { messageOf, NetopsError } from '../../model/errors.ts'
import { quoteCommand } from '../../model/quote.ts'
import { exec } from '../../system/exec.ts'
import { listIfAny } from '../../system/files.ts'
import { checkpointCommand, readCheckpointAnswer } from '../checkpoint/ask.ts'
import { defineWork } from '../work.ts'

const input = z.strictObject({
  root: z.string(),
  /** The backup that it is for. */
  id: backupId,
})

// How long one may take is the server's to say (checkpoint.timeout); this is for one that hangs.
const mostMs = 6 * 3_600_000
const mostOfAnswer = 2 ** 20

export const checkpointWork = defineWork({
  name: 'backup-checkpoint',
  input,
  changes: false,
  show: ({ root }) => [quoteCommand(checkpointCommand(root))],
  async run({ root, id }, { signal }) {
    try {
      const answer = await exec(checkpointCommand(root), { signal, timeoutMs: mostMs, most: mostOfAnswer })
      return { ...readCheckpointAnswer(root, answer) }
    } catch (error) {
      if (signal.aborted) throw error
      throw await notFresh({ root, id }, error)
    }
  },
})

/** The backup goes on with what there is, and says of when that is. */
async function notFresh({ root, id }: z.infer<typeof input>, cause: unknown): Promise<NetopsError> {
  const [newest] = checkpointsIn(await listIfAny(checkpointFolder(root)))
  const what =
    newest === undefined
      ? 'there is no checkpoint, so it holds no state at all'
      : `the newest checkpoint is ${newest.file}, ${formatAge(Date.now() - newest.takenMs)} old, and it holds that one`
  return new NetopsError('failed', {
    message: `${id} does not hold the state as it is now: ${what}; no checkpoint was taken, because ${messageOf(cause)}`,
    hint:
      cause instanceof NetopsError && cause.hint !== undefined
        ? cause.hint
        : 'see what the service is at: netops status; then: netops backup',
    cause,
  })
}

export const takingCheckpoint = (wanted: z.infer<typeof input>): WorkEffect => ({
  ...{ kind: 'work', work: checkpointWork.name, input: wanted },
})
