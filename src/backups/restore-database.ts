// Makes the database of the checkpoint that was restored: by the installed server, which verifies it and works as the owner of
// the service's data.
import { dirname } from 'node:path'
import * as z from 'zod'
import { errorCodes, NetopsError } from '../model/errors.ts'
import { parseJson } from '../model/json.ts'
import { within } from '../system/anchored-folder.ts'
import { exec } from '../system/exec.ts'
import { refuseDistrustedHere } from '../system/folder-trust.ts'
import { RestoreGround } from './restore-ground.ts'
import type { RestoreTask } from './restore-task.ts'
import { databaseEndings, unfinishedMark } from './restore-units.ts'

export interface DatabaseTools {
  /** The server's executable. */
  readonly server: string
  /** What the archive was made of: names. */
  readonly roots: readonly string[]
  /** The database's name in its folder. */
  readonly database: string
}

const refusal = z.object({
  error: z.object({ code: z.enum(errorCodes), message: z.string(), hint: z.string().optional() }),
})
const restored = z.object({ bytes: z.number(), schema: z.number() })
// A database of a hundred gigabytes, on a slow disk.
const timeoutMs = 4 * 3_600_000

/**
 * Has the server restore. The mark in the folder tells whether it has: the server removes it last.
 * @throws NetopsError what the server says
 */
export async function restoreCheckpoint(
  task: RestoreTask,
  { server, roots, database }: DatabaseTools,
): Promise<z.infer<typeof restored> | { readonly wasDone: true }> {
  if (task.database === null) return { wasDone: true }
  const ground = new RestoreGround(task, roots)
  const data = await ground.folder(task.database.folder)
  if (data === undefined) throw new NetopsError('failed', { message: 'the folder of the service’s data is gone' })
  const isDone = await within(data, async () => {
    if ((await data.look(unfinishedMark)) === undefined) return true
    // What a server that was killed has made of the checkpoint; the database that was there before lies elsewhere.
    for (const ending of databaseEndings) await data.remove(`${database}${ending}`)
    return false
  })
  if (isDone) return { wasDone: true }
  await refuseDistrustedHere([dirname(server)])
  const checkpoint = ground.absolute(task.database.checkpoint).toString()
  const { code, stdout, stderr } = await exec([server, 'restore', checkpoint, '--root', task.base, '--json'], {
    timeoutMs,
  })
  const document = parseJson(stdout.trim())
  const found = restored.safeParse(document)
  if (code === 0 && found.success) return { bytes: found.data.bytes, schema: found.data.schema }
  const refused = refusal.safeParse(document)
  if (refused.success)
    throw new NetopsError(refused.data.error.code, {
      message: refused.data.error.message,
      hint: refused.data.error.hint,
    })
  throw new NetopsError('failed', {
    message: `${server} restore exited with ${code}: ${stderr.trim().split('\n')[0] ?? ''}`,
  })
}
