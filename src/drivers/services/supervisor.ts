// Keeps one service running where there is no systemd: starts it, restarts it after a crash, stops it in order.
import { promises as fs } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import * as z from 'zod'
import { NetopsError } from '../../model/errors.ts'
import { hostPaths, serverExecutable, type HostPaths, serviceOutput } from '../../model/paths.ts'
import { parseEnvironmentFile } from '../../model/tuning.ts'
import { start } from '../../system/exec.ts'
import { readTextIfAny, writeFileAtomic } from '../../system/files.ts'
import { identify, identifySelf, isAlive, processIdentity, signalProcess } from '../../system/processes.ts'

export const supervisorState = z.strictObject({
  schema: z.literal('netops/supervisor/v1'),
  supervisor: processIdentity,
  child: processIdentity.optional(),
  since: z.string(),
  restarts: z.number(),
  /** `failed`: it crashed too often and is left alone. */
  state: z.enum(['running', 'restarting', 'failed']),
})
export type SupervisorState = z.infer<typeof supervisorState>

export const supervisorFile = (paths: HostPaths): string => join(paths.runtimeDir, 'supervisor.json')

// The same rule as the systemd unit's StartLimitBurst and RestartSec, so that both tiers behave alike.
const burst = { starts: 5, withinMs: 60_000 }
const restartDelayMs = 1000
/** The server finishes what is in flight within 30 s; then it has 5 s to leave. Equal to the unit's TimeoutStopSec. */
const stopTimeoutMs = 35_000

async function readSupervisor(paths: HostPaths): Promise<SupervisorState | undefined> {
  const text = await readTextIfAny(supervisorFile(paths))
  return text === undefined ? undefined : supervisorState.parse(JSON.parse(text))
}

/**
 * Starts the service below a root unless it runs; returns once its process was started, as `systemctl start` does.
 * @param self the command that runs this netops, which becomes the supervisor
 */
export async function startService(root: string, self: readonly string[]): Promise<void> {
  const paths = hostPaths(root)
  const before = await readSupervisor(paths)
  if (before !== undefined && before.state !== 'failed' && (await isAlive(before.supervisor))) return
  await stopService(root)
  await fs.mkdir(paths.runtimeDir, { recursive: true })
  await fs.mkdir(paths.logDir, { recursive: true })
  const argv = [...self, 'host', 'supervise', '--root', root]
  const { pid } = await start(argv, { output: serviceOutput(paths), detached: true })
  const deadline = Date.now() + 10_000
  // A service that ends at once, and well, takes its supervisor along: it was started all the same.
  while ((await readSupervisor(paths)) === undefined && (await identify(pid)) !== undefined) {
    if (Date.now() > deadline) {
      throw new NetopsError('failed', { message: 'the supervisor did not start', hint: `see ${serviceOutput(paths)}` })
    }
    await sleep(20)
  }
}

/** Stops the service below a root, gracefully within its time, then for certain; fine when it does not run. */
export async function stopService(root: string): Promise<void> {
  const paths = hostPaths(root)
  const state = await readSupervisor(paths)
  if (state === undefined) return
  const members = [state.supervisor, ...(state.child === undefined ? [] : [state.child])]
  // A supervisor that was killed leaves its child behind; then the child is asked itself.
  if (!(await signalProcess(state.supervisor, 'SIGTERM')) && state.child !== undefined) {
    await signalProcess(state.child, 'SIGTERM')
  }
  const deadline = Date.now() + stopTimeoutMs + 2000
  while ((await Promise.all(members.map(isAlive))).includes(true)) {
    if (Date.now() > deadline) for (const member of members) await signalProcess(member, 'SIGKILL')
    await sleep(25)
  }
  await fs.rm(supervisorFile(paths), { force: true })
}

/** The supervisor itself: runs until it is stopping to stop, or the service has crashed too often. */
export async function supervise(root: string): Promise<void> {
  const paths = hostPaths(root)
  const supervisor = await identifySelf()
  const stopping = new AbortController()
  const isStopping = (): boolean => stopping.signal.aborted
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => stopping.abort())
  const argv = [join(paths.current, serverExecutable), '--config', paths.config, '--root', root]
  const starts: number[] = []
  for (let restarts = 0; ; restarts += 1) {
    starts.push(Date.now())
    const since = new Date().toISOString()
    const note = (state: SupervisorState['state'], child?: SupervisorState['child']) =>
      writeState(paths, { schema: 'netops/supervisor/v1', supervisor, since, restarts, state, ...(child && { child }) })
    const ended = await runOnce(argv, paths, { note, stop: stopping.signal })
    if (isStopping() || ended === 0) break
    if (starts.filter((at) => at > Date.now() - burst.withinMs).length >= burst.starts) return note('failed')
    await note('restarting')
    await sleep(restartDelayMs, undefined, { signal: stopping.signal }).catch(untilStopping)
    if (isStopping()) break
  }
  await fs.rm(supervisorFile(paths), { force: true })
}

/** The wait ends early when the supervisor is stopping to stop. */
const untilStopping = (): void => undefined

interface Life {
  readonly note: (state: SupervisorState['state'], child?: SupervisorState['child']) => Promise<void>
  readonly stop: AbortSignal
}

/** One life of the service, from start to end; returns its exit code. */
async function runOnce(argv: readonly string[], paths: HostPaths, life: Life): Promise<number> {
  let started
  try {
    started = await start(argv, { output: serviceOutput(paths), env: await serviceEnvironment(paths) })
  } catch (error) {
    // The executable is missing or cannot run here: for the restart rule the same as a crash.
    await fs.appendFile(serviceOutput(paths), `${String(error)}\n`)
    return 127
  }
  const child = await identify(started.pid)
  await life.note('running', child)
  const onStop = async (): Promise<void> => {
    if (child === undefined) return
    await signalProcess(child, 'SIGTERM')
    const killer = setTimeout(() => void signalProcess(child, 'SIGKILL'), stopTimeoutMs)
    await started.ended
    clearTimeout(killer)
  }
  let stopping: Promise<void> | undefined
  const listener = (): void => {
    stopping = onStop()
  }
  life.stop.addEventListener('abort', listener, { once: true })
  if (life.stop.aborted) listener()
  const code = await started.ended
  life.stop.removeEventListener('abort', listener)
  await stopping
  return code
}

/** What a service under systemd would see, too: no setting of whoever happened to deploy reaches it. */
async function serviceEnvironment(paths: HostPaths): Promise<Record<string, string>> {
  const kept = ['PATH', 'HOME', 'LANG', 'TZ'].map((name): [string, string] => [name, process.env[name] ?? ''])
  const tuned = parseEnvironmentFile((await readTextIfAny(paths.tuningEnvironment)) ?? '')
  return { ...Object.fromEntries(kept.filter(([, value]) => value !== '')), ...tuned }
}

/** Where whatever the service and its supervisor print is appended to. */

const writeState = (paths: HostPaths, state: SupervisorState): Promise<void> =>
  writeFileAtomic(supervisorFile(paths), `${JSON.stringify(state)}\n`)
