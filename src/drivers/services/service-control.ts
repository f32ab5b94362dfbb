// Starts and stops the supervised service below a root.
import { setTimeout as sleep } from 'node:timers/promises'
import { NetopsError } from '../../model/errors.ts'
import { hostPaths, type HostPaths, serviceOutput } from '../../model/paths.ts'
import { start } from '../../system/exec.ts'
import { makeFolder } from '../../system/files.ts'
import { refuseSharedRoot } from '../../system/folder-trust.ts'
import { tryProcessLock } from '../../system/process-lock.ts'
import { identify, isAlive, signalProcess, type ProcessIdentity } from '../../system/processes.ts'
import { readSockets, showSocket } from './held-sockets.ts'
import { processesOf, supervisorWords, unmarkedEnvironment, type RootProcess } from './root-processes.ts'
import {
  forgetSupervisor,
  readHeld,
  readSupervisor,
  restartSignal,
  supervisorLock,
  type SupervisorState,
} from './supervisor-state.ts'

/** The server finishes what is in flight within 30 s; then it has 5 s to leave. Equal to the unit's TimeoutStopSec. */
export const stopTimeoutMs = 35_000
// A supervisor first ends what one before it left behind.
const startTimeoutMs = stopTimeoutMs + 12_000

/**
 * Starts the service below a root unless it runs under a supervisor; returns once its process was started, as
 * `systemctl start` does. However many do so at once, one supervisor comes of it.
 * @param self the command that runs this netops, which becomes the supervisor
 * @throws NetopsError `failed` where there is no process, because a socket cannot be had
 */
export async function startService(root: string, self: readonly string[]): Promise<void> {
  const paths = hostPaths(root)
  const before = await readSupervisor(paths)
  if (before !== undefined && before.state !== 'failed' && (await isAlive(before.supervisor))) {
    if ((await missingSockets(paths, before)).length === 0) return
    // What was in its way may be gone: whoever asks need not wait for its next try.
    await stopService(root)
  }
  await refuseSharedRoot(root)
  await makeFolder(paths.runtimeDir)
  await makeFolder(paths.logDir, 0o750)
  const output = serviceOutput(paths)
  const { pid } = await start([...self, ...supervisorWords(root)], {
    output,
    detached: true,
    env: unmarkedEnvironment(),
  })
  const mine = await identify(pid)
  const deadline = performance.now() + startTimeoutMs
  for (;;) {
    const now = await readSupervisor(paths)
    if (isAnother(now, before)) {
      const missing = await missingSockets(paths, now)
      if (missing.length === 0) return
      throw new NetopsError('failed', {
        message: `the service was not started: its supervisor cannot listen on ${missing.join(' and ')}`,
        hint: `see why: tail -n 5 ${output}; and who listens there: ss -ltnp`,
      })
    }
    const tried = mine !== undefined && (await isAlive(mine))
    const somebody = tried || processesOf(root).some(({ kind }) => kind === 'supervisor')
    if (performance.now() > deadline || (!somebody && !isAnother(await readSupervisor(paths), before))) {
      throw new NetopsError('failed', { message: 'the supervisor did not start', hint: `see ${output}` })
    }
    await sleep(20)
  }
}

/** The addresses that a supervisor does not get for its service, which it then cannot start; a socket unit fails likewise. */
async function missingSockets(paths: HostPaths, { supervisor, state }: SupervisorState): Promise<readonly string[]> {
  if (state === 'running' || (await readHeld(paths, supervisor)) !== undefined) return []
  return [...new Set((await readSockets(paths)).map(showSocket))]
}

/** Whether a supervisor has written its state since. */
const isAnother = (now: SupervisorState | undefined, before: SupervisorState | undefined): now is SupervisorState =>
  now !== undefined && JSON.stringify(now.supervisor) !== JSON.stringify(before?.supervisor)

/**
 * Stops the service below a root with every process that belongs to it, gracefully within its time, then for certain; fine
 * when it does not run.
 */
export async function stopService(root: string): Promise<void> {
  const paths = hostPaths(root)
  await endAll(root)
  // Whoever has the lock by now has started it again.
  const lock = await tryProcessLock(supervisorLock(paths)).catch(() => undefined)
  if (lock === undefined) return
  await forgetSupervisor(paths)
  await lock.release()
}

/**
 * Restarts the service below a root, or starts it; returns once its new process was started. A supervisor that holds the
 * sockets that are wanted stays: who connects meanwhile waits. Another one is replaced.
 * @param self as for {@link startService}
 */
export async function restartService(root: string, self: readonly string[]): Promise<void> {
  const paths = hostPaths(root)
  const before = await readSupervisor(paths)
  const wanted = (await readSockets(paths)).map(showSocket)
  const held = before === undefined ? undefined : await readHeld(paths, before.supervisor)
  if (before === undefined || before.state === 'failed' || held?.join() !== wanted.join()) {
    await stopService(root)
    return startService(root, self)
  }
  const deadline = performance.now() + startTimeoutMs
  if (!(await signalProcess(before.supervisor, restartSignal))) return startService(root, self)
  for (;;) {
    const now = await readSupervisor(paths)
    // Each of its lives begins at another time.
    if (now !== undefined && now.since !== before.since) return
    if (!(await isAlive(before.supervisor))) return startService(root, self)
    if (performance.now() > deadline) {
      throw new NetopsError('failed', {
        message: 'the supervisor did not restart the service',
        hint: `see ${serviceOutput(paths)}`,
      })
    }
    await sleep(20)
  }
}

/** Ends every supervisor and service of a root but this process; a supervisor ends its service itself. */
export async function endAll(root: string): Promise<void> {
  const noted = await notedBy(hostPaths(root))
  const asked = new Set<number>()
  const deadline = performance.now() + stopTimeoutMs + 2000
  for (;;) {
    const members = await membersOf(root, noted)
    if (members.length === 0) return
    const supervisors = members.filter(({ kind }) => kind === 'supervisor')
    const late = performance.now() > deadline
    for (const { pid } of late || supervisors.length === 0 ? members : supervisors) {
      if (!late && asked.has(pid)) continue
      asked.add(pid)
      const process = await identify(pid)
      if (process !== undefined) await signalProcess(process, late ? 'SIGKILL' : 'SIGTERM')
    }
    await sleep(30)
  }
}

/** Those that a supervisor wrote down, whatever they look like: an earlier netops marked nothing. */
async function notedBy(paths: HostPaths): Promise<readonly (RootProcess & { readonly identity: ProcessIdentity })[]> {
  const state = await readSupervisor(paths)
  if (state === undefined) return []
  const { supervisor, child } = state
  return [
    { pid: supervisor.pid, kind: 'supervisor', identity: supervisor },
    ...(child === undefined ? [] : [{ pid: child.pid, kind: 'server', identity: child } as const]),
  ]
}

async function membersOf(root: string, noted: Awaited<ReturnType<typeof notedBy>>): Promise<readonly RootProcess[]> {
  const found = processesOf(root)
  const seen = new Set([process.pid, ...found.map(({ pid }) => pid)])
  const others = await Promise.all(
    noted.map(async (one) => (!seen.has(one.pid) && (await isAlive(one.identity)) ? [one] : [])),
  )
  return [...found, ...others.flat()]
}
