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
import { identify, identifySelf, signalProcess, type ProcessIdentity } from '../../system/processes.ts'
import { answerAlone, surviveSignals } from '../../system/signals.ts'
import { holdSockets, passedBy, passedTo, readSockets, showSocket, type HeldSockets } from './held-sockets.ts'
import { processesOf, serverWords, serviceMark } from './root-processes.ts'
import { endAll, stopTimeoutMs } from './service-control.ts'
import {
  forgetSupervisor,
  restartSignal,
  supervisorLock,
  writeHeld,
  writeSupervisor,
  type SupervisorState,
} from './supervisor-state.ts'

// The same rule as the systemd unit's StartLimitBurst and RestartSec, so that both tiers behave alike.
const burst = { starts: 5, withinMs: 60_000 }
const restartDelayMs = 1000

/** The supervisor itself: runs until it is asked to stop, or the service has ended too often. */
export async function supervise(root: string): Promise<void> {
  const paths = hostPaths(root)
  const asked: Asked = { stop: new AbortController(), restart: new AbortController() }
  // What ends a command of an operator at once would leave the service alone.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) answerAlone(signal, () => asked.stop.abort())
  surviveSignals((signal) => console.error(`netops: the supervisor ignores ${signal}`))
  answerAlone(restartSignal, () => asked.restart.abort())
  const lock = await tryProcessLock(supervisorLock(paths))
  // Another one does already what this one was started for.
  if (lock === undefined) return
  try {
    // What a supervisor that was killed has left behind, or was started beside it.
    await endAll(root)
    await keepRunning(root, asked)
  } finally {
    await lock.release()
  }
}

interface Asked {
  readonly stop: AbortController
  /** Another for each life of the service. */
  restart: AbortController
}

async function keepRunning(root: string, asked: Asked): Promise<void> {
  const paths = hostPaths(root)
  const supervisor = await identifySelf()
  const outputFrom = (await fs.stat(serviceOutput(paths))).size
  let starts: number[] = []
  let restarts = 0
  let ended: number | undefined
  let sockets: HeldSockets | undefined
  const isStopping = (): boolean => asked.stop.signal.aborted
  while (!isStopping()) {
    asked.restart = new AbortController()
    const { signal: again } = asked.restart
    const end = AbortSignal.any([asked.stop.signal, again])
    // By a clock that nobody sets: starts of an hour ago must not count as of just now.
    starts.push(performance.now())
    const since = new Date().toISOString()
    const note = async (state: SupervisorState['state'], child?: SupervisorState['child']): Promise<void> => {
      const facts = { supervisor, since, restarts, state, outputFrom, ...(ended === undefined ? {} : { ended }) }
      await writeSupervisor(paths, { schema: 'netops/supervisor/v1', ...facts, ...(child && { child }) }).catch(
        cannotTell,
      )
    }
    sockets ??= await holdOwn(paths, supervisor)
    ended = sockets === undefined ? 1 : await runOnce(root, { note, end, sockets })
    await killStarted(root)
    if (isStopping()) break
    if (!again.aborted) {
      if (starts.filter((at) => at > performance.now() - burst.withinMs).length >= burst.starts) return note('failed')
      await note('restarting')
      await sleep(restartDelayMs, undefined, { signal: end }).catch(untilAsked)
    }
    // What was asked for is no sign of anything.
    if (again.aborted) starts = []
    restarts = again.aborted ? 0 : restarts + 1
  }
  await forgetSupervisor(paths)
}

/** A full disk must not leave the service without whoever restarts it. */
const cannotTell = (error: unknown): void =>
  console.error(`netops: the supervisor cannot write its state: ${messageOf(error)}`)

/** The sockets that are to be held; undefined where one cannot be had: for the restart rule the same as a crash. */
async function holdOwn(paths: HostPaths, supervisor: ProcessIdentity): Promise<HeldSockets | undefined> {
  try {
    const held = holdSockets(await readSockets(paths))
    await writeHeld(paths, supervisor, held.addresses.map(showSocket)).catch(cannotTell)
    return held
  } catch (error) {
    console.error(`netops: the supervisor ${messageOf(error)}`)
    return undefined
  }
}

/** The wait ends early when the supervisor is asked for something. */
const untilAsked = (): void => undefined

interface Life {
  readonly note: (state: SupervisorState['state'], child?: SupervisorState['child']) => Promise<void>
  /** Aborted when it is to end. */
  readonly end: AbortSignal
  readonly sockets: HeldSockets
}

/** One life of the service, from start to end; returns its exit code. */
async function runOnce(root: string, { note, end, sockets }: Life): Promise<number> {
  const paths = hostPaths(root)
  const output = serviceOutput(paths)
  let started
  try {
    const argv = [join(paths.current, serverExecutable), ...serverWords(root)]
    const env = await serviceEnvironment(paths)
    started = await start(passedTo(argv, sockets), {
      ...{ output, descriptors: sockets.descriptors },
      env: { ...env, ...passedBy(sockets) },
    })
  } catch (error) {
    // The executable is missing or cannot run here: for the restart rule the same as a crash.
    await fs.appendFile(output, `${String(error)}\n`)
    return 127
  }
  const child = await identify(started.pid)
  await note('running', child)
  const onEnd = async (): Promise<void> => {
    if (child === undefined) return
    await signalProcess(child, 'SIGTERM')
    const killer = setTimeout(() => void signalProcess(child, 'SIGKILL'), stopTimeoutMs)
    await started.ended
    clearTimeout(killer)
  }
  let ending: Promise<void> | undefined
  const listener = (): void => {
    ending = onEnd()
  }
  end.addEventListener('abort', listener, { once: true })
  if (end.aborted) listener()
  const code = await started.ended
  end.removeEventListener('abort', listener)
  await ending
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
