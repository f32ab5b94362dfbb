// What a supervisor writes down of itself and its service, for whoever asks how they are.
import { promises as fs } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'
import { parseJson } from '../../model/json.ts'
import type { HostPaths } from '../../model/paths.ts'
import { putAside } from '../../model/state-text.ts'
import { writeFileAtomic } from '../../system/files.ts'
import { processIdentity, type ProcessIdentity } from '../../system/processes.ts'
import { readStateText } from '../../system/state-file.ts'

export const supervisorState = z.strictObject({
  schema: z.literal('netops/supervisor/v1'),
  supervisor: processIdentity,
  child: processIdentity.optional(),
  since: z.string(),
  restarts: z.number(),
  /** How its last life ended; 128 + n where signal n ended it. */
  ended: z.number().exactOptional(),
  /** How long the file of its output was when this supervisor began. */
  outputFrom: z.number().exactOptional(),
  /** `failed`: it ended too often and is left alone. */
  state: z.enum(['running', 'restarting', 'failed']),
})
export type SupervisorState = z.infer<typeof supervisorState>

export const supervisorFile = (paths: HostPaths): string => join(paths.runtimeDir, 'supervisor.json')

/** Held by the one supervisor of a root for as long as it lives. */
export const supervisorLock = (paths: HostPaths): string => join(paths.runtimeDir, 'supervisor.lock')

/** The state as it stands. One that cannot be read says nothing: processes are found without it. */
export async function readSupervisor(paths: HostPaths): Promise<SupervisorState | undefined> {
  const path = supervisorFile(paths)
  const text = await readStateText({ path, hint: putAside(path) })
  return supervisorState.safeParse(parseJson(text ?? '')).data
}

export const writeSupervisor = (paths: HostPaths, state: SupervisorState): Promise<void> =>
  writeFileAtomic(supervisorFile(paths), `${JSON.stringify(state)}\n`)

/**
 * The sockets that a supervisor holds, as a socket unit shows them; a file of its own, since an older netops would not
 * understand them in the other. Whoever writes it restarts its service on {@link restartSignal}.
 */
const heldState = z.object({
  schema: z.literal('netops/supervisor-sockets/v1'),
  supervisor: processIdentity,
  sockets: z.array(z.string()),
})

export const restartSignal = 'SIGUSR2'

const heldFile = (paths: HostPaths): string => join(paths.runtimeDir, 'supervisor-sockets.json')

/** What this very supervisor holds; undefined where it did not say. */
export async function readHeld(paths: HostPaths, supervisor: ProcessIdentity): Promise<readonly string[] | undefined> {
  const path = heldFile(paths)
  const text = await readStateText({ path, hint: putAside(path) })
  const { data } = heldState.safeParse(parseJson(text ?? ''))
  return JSON.stringify(data?.supervisor) === JSON.stringify(supervisor) ? data?.sockets : undefined
}

export const writeHeld = (paths: HostPaths, supervisor: ProcessIdentity, sockets: readonly string[]): Promise<void> =>
  writeFileAtomic(
    heldFile(paths),
    `${JSON.stringify({ schema: 'netops/supervisor-sockets/v1', supervisor, sockets })}\n`,
  )

/** Nothing is left of what a supervisor wrote down. */
export const forgetSupervisor = async (paths: HostPaths): Promise<void> => {
  for (const path of [heldFile(paths), supervisorFile(paths)]) await fs.rm(path, { force: true })
}
