// Keeps one service running where there is no systemd: starts it, restarts it however it ends, stops it in order. One process a
// root does so at a time.
import { promises as fs } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../../model/errors.ts'
import { hostPaths, serverExecutable, type HostPaths, serviceOutput } from '../../model/paths.ts'
import { parseEnvironmentFile } from '../../model/tuning.ts'
import { start } from '../../system/exec.ts'
import { readTextIfAny } from '../../system/files.ts'
import { tryProcessLock } from '../../system/process-lock.ts'
import { identify, identifySelf, signalProcess } from '../../system/processes.ts'
import { answerAlone, surviveSignals } from '../../system/signals.ts'
import { processesOf, serverWords, serviceMark } from './root-processes.ts'
import { endAll, stopTimeoutMs } from './service-control.ts'
import { supervisorFile, supervisorLock, writeSupervisor, type SupervisorState } from './supervisor-state.ts'

// The same rule as the systemd unit's StartLimitBurst and RestartSec, so that both tiers behave alike.
const burst = { starts: 5, withinMs: 60_000 }
const restartDelayMs = 1000

/** The supervisor itself: runs until it is asked to stop, or the service has ended too often. */
export async function supervise(root: string): Promise<void> {
  const paths = hostPaths(root)
  const stopping = new AbortController()
  // What ends a command of an operator at once would leave the service alone.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) answerAlone(signal, () => stopping.abort())
  surviveSignals((signal) => console.error(`netops: the supervisor ignores ${signal}`))
  const lock = await tryProcessLock(supervisorLock(paths))
  // Another one does already what this one was started for.
  if (lock === undefined) return
  try {
    // What a supervisor that was killed has left behind, or was started beside it.
    await endAll(root)
    await keepRunning(root, stopping.signal)
  } finally {
    await lock.release()
  }
}

async function keepRunning(root: string, stop: AbortSignal): Promise<void> {
  const paths = hostPaths(root)
  const supervisor = await identifySelf()
  const outputFrom = (await fs.stat(serviceOutput(paths))).size
  const starts: number[] = []
  let ended: number | undefined
  const isStopping = (): boolean => stop.aborted
  for (let restarts = 0; !isStopping(); restarts += 1) {
    // By a clock that nobody sets: starts of an hour ago must not count as of just now.
    starts.push(performance.now())
    const since = new Date().toISOString()
    const note = async (state: SupervisorState['state'], child?: SupervisorState['child']): Promise<void> => {
      const facts = { supervisor, since, restarts, state, outputFrom, ...(ended === undefined ? {} : { ended }) }
      await writeSupervisor(paths, { schema: 'netops/supervisor/v1', ...facts, ...(child && { child }) }).catch(
        // A full disk must not leave the service without whoever restarts it.
        (error: unknown) => console.error(`netops: the supervisor cannot write its state: ${messageOf(error)}`),
      )
    }
    ended = await runOnce(root, note, stop)
    await killStarted(root)
    if (isStopping()) break
    if (starts.filter((at) => at > performance.now() - burst.withinMs).length >= burst.starts) return note('failed')
    await note('restarting')
    await sleep(restartDelayMs, undefined, { signal: stop }).catch(untilStopping)
  }
  await fs.rm(supervisorFile(paths), { force: true })
}

/** The wait ends early when the supervisor is asked to stop. */
const untilStopping = (): void => undefined

type Note = (state: SupervisorState['state'], child?: SupervisorState['child']) => Promise<void>

/** One life of the service, from start to end; returns its exit code. */
async function runOnce(root: string, note: Note, stop: AbortSignal): Promise<number> {
  const paths = hostPaths(root)
  const output = serviceOutput(paths)
  let started
  try {
    const argv = [join(paths.current, serverExecutable), ...serverWords(root)]
    started = await start(argv, { output, env: await serviceEnvironment(paths) })
  } catch (error) {
    // The executable is missing or cannot run here: for the restart rule the same as a crash.
    await fs.appendFile(output, `${String(error)}\n`)
    return 127
  }
  const child = await identify(started.pid)
  await note('running', child)
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
  stop.addEventListener('abort', listener, { once: true })
  if (stop.aborted) listener()
  const code = await started.ended
  stop.removeEventListener('abort', listener)
  await stopping
  return code
}

/** Whatever the service has started ends with it, as with the unit's KillMode=mixed. */
async function killStarted(root: string): Promise<void> {
  for (;;) {
    const left = processesOf(root, process.pid).filter(({ kind }) => kind !== 'supervisor')
    if (left.length === 0) return
    for (const { pid } of left) {
      const process = await identify(pid)
      if (process !== undefined) await signalProcess(process, 'SIGKILL')
    }
    await sleep(10)
  }
}

/** What a service under systemd would see, too: no setting of whoever happened to deploy reaches it. */
async function serviceEnvironment(paths: HostPaths): Promise<Record<string, string>> {
  const kept = ['PATH', 'HOME', 'LANG', 'TZ'].map((name): [string, string] => [name, process.env[name] ?? ''])
  const tuned = parseEnvironmentFile((await readTextIfAny(paths.tuningEnvironment)) ?? '')
  return { ...Object.fromEntries(kept.filter(([, value]) => value !== '')), ...tuned, ...serviceMark(paths.root) }
}
