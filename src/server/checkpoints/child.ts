// The process that takes a checkpoint, as its parent sees it: the same executable, a word, an order on standard input.
import { join } from 'node:path'
import { isSea } from 'node:sea'
import * as z from 'zod'
import { errorCodes, NetopsError } from '../../model/errors.ts'
import { parseJson } from '../../model/json.ts'
import { formatDuration } from '../../model/units.ts'
import { exec, type ExecResult } from '../../system/exec.ts'
import { tryProcessLock } from '../../system/process-lock.ts'
import { lockName, removeLeftovers } from './files.ts'
import { takenCheckpoint, type TakenCheckpoint } from '../../model/checkpoint.ts'
import type { CheckpointOrder } from './order.ts'

/** The word by which the executable is asked for it; no command for people. */
const takeWord = 'take-checkpoint'

export interface ChildLimits {
  /** checkpoint.timeout, in ms. */
  readonly timeoutMs: number
  /** Ends it at once. */
  readonly signal: AbortSignal
}

const refusal = z.object({
  error: z.object({ code: z.enum(errorCodes), message: z.string(), hint: z.string().optional() }),
})

/**
 * Has a process take one checkpoint.
 * @throws NetopsError as that process says; `failed` where it took too long or ended without a word; `interrupted`
 */
export async function takeInChild(order: CheckpointOrder, limits: ChildLimits): Promise<TakenCheckpoint> {
  const { code, stdout, stderr } = await runChild(order, limits)
  const said = parseJson(stdout)
  const taken = takenCheckpoint.safeParse(said)
  if (code === 0 && taken.success) return taken.data
  await tryClearLeftovers(order.folder)
  const refused = refusal.safeParse(said)
  if (refused.success) throw new NetopsError(refused.data.error.code, refused.data.error)
  const reason = stderr.trim().split('\n').at(-1) ?? ''
  throw new NetopsError('failed', { message: `the checkpoint's process ended with code ${code} ${reason}`.trim() })
}

async function runChild(order: CheckpointOrder, { timeoutMs, signal }: ChildLimits): Promise<ExecResult> {
  // A checkout has Node run this program's entry.
  const argv = [process.execPath, ...(isSea() ? [] : [process.argv[1] ?? '']), takeWord]
  const late = AbortSignal.timeout(timeoutMs)
  try {
    return await exec(argv, {
      stdin: { text: JSON.stringify(order) },
      signal: AbortSignal.any([signal, late]),
      called: 'the process of a checkpoint',
    })
  } catch (error) {
    await tryClearLeftovers(order.folder)
    if (!late.aborted || signal.aborted) throw error
    throw new NetopsError('failed', {
      message: `the checkpoint was given up after ${formatDuration(timeoutMs)}`,
      hint: 'give it more time: checkpoint.timeout',
      cause: error,
    })
  }
}

async function tryClearLeftovers(folder: string): Promise<void> {
  try {
    await clearLeftovers(folder)
  } catch {
    // A disk without room, or a folder that was never made, kept the checkpoint from being taken: that is what is to be told.
  }
}

/** Removes what those who were killed left, unless somebody is just taking a checkpoint there. */
export async function clearLeftovers(folder: string): Promise<readonly string[]> {
  const lock = await tryProcessLock(join(folder, lockName))
  if (lock === undefined) return []
  try {
    return await removeLeftovers(folder)
  } finally {
    await lock.release()
  }
}
