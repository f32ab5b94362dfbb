// What a service does besides serving, in its main thread: it holds its data, knows its standing, takes checkpoints, and
// answers whoever operates it.
import { messageOf, NetopsError } from '../../model/errors.ts'
import { hostPaths } from '../../model/paths.ts'
import type { ServerConfig } from '../../model/server-config.ts'
import { formatBytes, formatDuration } from '../../model/units.ts'
import type { ProcessLock } from '../../system/process-lock.ts'
import { clearLeftovers, takeInChild } from '../checkpoints/child.ts'
import { unfinishedRestore } from '../checkpoints/restore.ts'
import {
  noCheckpoints,
  scheduleCheckpoints,
  type CheckpointFigures,
  type CheckpointSchedule,
} from '../checkpoints/schedule.ts'
import { holdData } from '../control/hold.ts'
import type { ControlRequest, ControlResult } from '../control/protocol.ts'
import { openControl, type ControlSocket } from '../control/socket.ts'
import { watchMaintenance, type FlagWatch } from '../standing/maintenance.ts'
import { checkpointFolder, controlFolder, databaseFile, maintenanceFlag, roleFile } from '../standing/places.ts'
import { readRole } from '../standing/role.ts'
import { keepStanding, type Role, type StandingKeeper } from '../standing/standing.ts'
import type { Shared, SharedMemory } from '../threads/shared.ts'
import type { EventLog } from '../threads/thread-log.ts'
import { roleChanger } from './change-role.ts'

export interface OperationsOptions {
  readonly root: string
  /** As it is in effect now. */
  readonly config: () => ServerConfig
  readonly release: string
  readonly version: string
  readonly shared: Shared
  readonly memory: SharedMemory
  readonly log: EventLog
  /** Reads the configuration again; says what came of it. */
  readonly reload: () => Promise<ControlResult>
}

export interface Operations {
  readonly checkpoint: () => CheckpointFigures | undefined
  readonly role: () => Role['kind']
  close(): Promise<void>
}

/**
 * Begins all that, before anybody is served.
 * @throws NetopsError `locked` where another process works with the data, `failed` after a restore that was cut off
 */
export async function startOperations(options: OperationsOptions): Promise<Operations> {
  const { root, log } = options
  const { dataDir } = hostPaths(root)
  const hold = await tryHold(dataDir, log)
  try {
    refuseUnfinished(dataDir)
    const standing = keepStanding(options.shared, options.memory.primary)
    await takeUpRole(root, { standing, log })
    const flag = await followFlag(root, { standing, log })
    const ending = new AbortController()
    const checkpoints = await startCheckpoints(options, ending.signal)
    const perform = performer(options, { standing, checkpoints })
    const control = hold === undefined ? undefined : await tryControl(root, { perform, log })
    return {
      checkpoint: checkpoints.figures,
      role: () => standing.role().kind,
      async close() {
        checkpoints.close()
        ending.abort()
        flag.close()
        await control?.close()
        await giveBack(hold, log)
      },
    }
  } catch (error) {
    await giveBack(hold, log)
    throw error
  }
}

/** A folder that takes no file fails the checks too, and keeps nobody from serving what can be served. */
async function tryHold(dataDir: string, log: EventLog): Promise<ProcessLock | undefined> {
  try {
    return await holdData(dataDir)
  } catch (error) {
    if (error instanceof NetopsError) throw error
    log.error({ path: dataDir }, `cannot hold the data folder, and answer no commands: ${messageOf(error)}`)
    return undefined
  }
}

async function giveBack(hold: ProcessLock | undefined, log: EventLog): Promise<void> {
  try {
    await hold?.release()
  } catch (error) {
    // Nobody is kept out by it: this process ends.
    log.warn({}, `cannot give back the data folder: ${messageOf(error)}`)
  }
}

function refuseUnfinished(dataDir: string): void {
  const mark = unfinishedRestore(dataDir)
  if (mark === undefined) return
  throw new NetopsError('failed', {
    message: `a restore was cut off (${mark}): restore again before the service starts`,
    hint: 'network_server restore latest',
  })
}

interface StandingParts {
  readonly standing: StandingKeeper
  readonly log: EventLog
}

async function takeUpRole(root: string, { standing, log }: StandingParts): Promise<void> {
  const path = roleFile(root)
  const { role, problem } = await readRole(path)
  standing.setRole(role)
  if (problem !== undefined) {
    log.error({ path }, `the role is not known and counts as standby: ${problem}; say it: network_server role primary`)
  } else if (role.kind === 'standby') log.info({ ...role }, 'this is a standby: it takes no writes')
}

function followFlag(root: string, { standing, log }: StandingParts): Promise<FlagWatch> {
  const path = maintenanceFlag(root)
  return watchMaintenance({
    path,
    onChange(on) {
      if (on !== standing.maintenance()) log.info({ path }, on ? 'maintenance begins' : 'maintenance is over')
      standing.setMaintenance(on)
    },
    onProblem: (problem) =>
      log.warn({ path }, `the maintenance flag is not understood, and all stays as it is: ${problem}`),
  })
}

async function startCheckpoints(options: OperationsOptions, signal: AbortSignal): Promise<CheckpointSchedule> {
  const { root, config, shared, log } = options
  if (config().database.driver !== 'sqlite') return noCheckpoints()
  const [database, folder] = [databaseFile(root), checkpointFolder(root)]
  clearLeftovers(folder).then(
    (names) => names.length > 0 && log.info({ names }, 'removed what an unfinished checkpoint had left'),
    // There is no such folder yet, or it takes no file, which the next checkpoint tells.
    () => undefined,
  )
  return scheduleCheckpoints({
    database,
    folder,
    intervalMs: () => config().checkpoint.interval,
    take: () => {
      const { timeout, keep } = config().checkpoint
      return takeInChild({ database, folder, keep }, { timeoutMs: timeout, signal })
    },
    mayTake: () => shared.phase() === 'serving',
    onTaken: ({ path, bytes, ms, sha256 }) =>
      log.info({ path, bytes, ms, sha256 }, `checkpoint taken: ${formatBytes(bytes)} in ${formatDuration(ms)}`),
    onFailure: (reason) => {
      if (!signal.aborted) log.error({ reason }, `no checkpoint was taken: ${reason}`)
    },
  })
}

interface PerformParts {
  readonly standing: StandingKeeper
  readonly checkpoints: CheckpointSchedule
}

type Perform = (request: ControlRequest) => Promise<ControlResult>

function performer(options: OperationsOptions, { standing, checkpoints }: PerformParts): Perform {
  const { root, shared, release, version, log } = options
  const changeRole = roleChanger({ path: roleFile(root), standing, shared, log })
  return async (request) => {
    switch (request.command) {
      case 'status': {
        const { last, failures } = checkpoints.figures() ?? { last: undefined, failures: 0 }
        return {
          ...{ pid: process.pid, release, version, phase: shared.phase(), maintenance: standing.maintenance() },
          role: standing.role().kind,
          primary: primaryOf(standing.role()),
          ...{ active_requests: shared.requests(), active_connections: shared.open() },
          last_checkpoint: last === undefined ? null : new Date(last.lastSuccessMs).toISOString(),
          checkpoint_failures: failures,
        }
      }
      case 'checkpoint':
        return { ...(await checkpoints.takeNow()) }
      case 'reload':
        return options.reload()
      case 'role': {
        const role: Role =
          request.role === 'primary' ? { kind: 'primary' } : { kind: 'standby', primary: request.primary }
        await changeRole(role)
        return { role: role.kind, primary: primaryOf(role) }
      }
    }
  }
}

const primaryOf = (role: Role): string | null => (role.kind === 'standby' ? (role.primary ?? null) : null)

/** Without it the service serves all the same. */
async function tryControl(
  root: string,
  { perform, log }: { readonly perform: Perform; readonly log: EventLog },
): Promise<ControlSocket | undefined> {
  const folder = controlFolder(root)
  try {
    const onError = (error: unknown) => log.error({ err: error }, `the control socket: ${messageOf(error)}`)
    return await openControl({ folder, perform, onError })
  } catch (error) {
    log.error({ path: folder }, `cannot answer commands: ${messageOf(error)}`)
    return undefined
  }
}
