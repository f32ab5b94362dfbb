// How a host's server is asked for a checkpoint, and what it answers. Pure.
import * as z from 'zod'
import { takenCheckpoint, type TakenCheckpoint } from '../../model/checkpoint.ts'
import { errorCodes, NetopsError } from '../../model/errors.ts'
import { parseJson } from '../../model/json.ts'
import { hostPaths } from '../../model/paths.ts'

const refusal = z.object({
  error: z.object({ code: z.enum(errorCodes), message: z.string(), hint: z.string().optional() }),
})

/** The command that asks the server of a host for one. */
export const checkpointCommand = (root: string): readonly string[] => [
  hostPaths(root).serverLink,
  ...['checkpoint', '--root', root, '--json'],
]

/** What the command came to. */
interface Answer {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/**
 * The checkpoint that was taken.
 * @throws NetopsError as the server says; `failed` where it says nothing that can be read
 */
export function readCheckpointAnswer(root: string, { code, stdout, stderr }: Answer): TakenCheckpoint {
  // A login banner may stand before the document.
  const document = parseJson(stdout.trim().split('\n').at(-1) ?? '')
  const taken = takenCheckpoint.safeParse(document)
  if (code === 0 && taken.success) return taken.data
  const refused = refusal.safeParse(document)
  if (refused.success) throw new NetopsError(refused.data.error.code, refused.data.error)
  // env(1): 127 where there is no such program.
  if (code === 127) {
    throw new NetopsError('failed', {
      message: `no server is deployed: there is no ${hostPaths(root).serverLink}`,
      hint: 'netops deploy',
    })
  }
  const reason = stderr.trim().split('\n').at(0) ?? ''
  throw new NetopsError('failed', {
    message: `the server took no checkpoint: ${reason === '' ? `its command exited with ${code}` : reason}`,
    hint: 'is it a release that takes checkpoints? netops status tells which one runs',
  })
}
