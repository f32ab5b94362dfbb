// Keeps a unit beside the service running where there is no systemd: the command of its unit file, restarted however it ends.
// It has no sockets and starts nothing that would have to be found: its own process is all of it.
import { promises as fs } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf, NetopsError } from '../../model/errors.ts'
import { parseJson } from '../../model/json.ts'
import { hostPaths, type HostPaths } from '../../model/paths.ts'
import { putAside } from '../../model/state-text.ts'
import { commandOfUnit } from '../../model/unit-command.ts'
import { start } from '../../system/exec.ts'
import { makeFolder, readTextIfAny, writeFileAtomic } from '../../system/files.ts'
import { refuseSharedRoot } from '../../system/folder-trust.ts'
import { tryProcessLock } from '../../system/process-lock.ts'
import { identify, identifySelf, isAlive, signalProcess } from '../../system/processes.ts'
import { answerAlone, surviveSignals } from '../../system/signals.ts'
import { readStateText } from '../../system/state-file.ts'
import { unmarkedEnvironment } from './root-processes.ts'
import { supervisorState, type SupervisorState } from './supervisor-state.ts'
import { unitFile, unitOutput, unitStateFile } from './units.ts'

// As the unit's RestartSec and TimeoutStopSec, so that both tiers behave alike.
const restartDelayMs = 2000
const stopTimeoutMs = 30_000
const startTimeoutMs = 10_000

const lockOf = (paths: HostPaths, unit: string): string => join(paths.runtimeDir, `${unit}.lock`)

/** The words after netops' own by which it becomes the supervisor of a unit. */
const supervisorWords = (root: string, unit: string): readonly string[] => ['host', 'keep', unit, '--root', root]

/** The supervisor itself: runs until it is asked to stop. */
export async function keepUnit(root: string, unit: string): Promise<void> {
  const paths = hostPaths(root)
  const stop = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) answerAlone(signal, () => stop.abort())
  surviveSignals((signal) => console.error(`netops: the supervisor ignores ${signal}`))
  const lock = await tryProcessLock(lockOf(paths, unit))
  if (lock === undefined) return
  try {
    // What a supervisor that was killed has left behind.
    await endChild(await readUnitState(paths, unit))
    await keepRunning(paths, unit, stop.signal)
  } finally {
    await fs.rm(unitStateFile(paths, unit), { force: true })
    await lock.release()
  }
}

async function keepRunning(paths: HostPaths, unit: string, stop: AbortSignal): Promise<void> {
  const supervisor = await identifySelf()
  const output = unitOutput(paths, unit)
  const outputFrom = await fs.stat(output).then(
    ({ size }) => size,
    () => 0,
  )
  let ended: number | undefined
  const isStopping = (): boolean => stop.aborted
  for (let restarts = 0; !isStopping(); restarts += 1) {
    const about = { supervisor, since: new Date().toISOString(), restarts, outputFrom }
    const note = (state: SupervisorState['state'], child?: SupervisorState['child']): Promise<void> =>
      writeFileAtomic(
        unitStateFile(paths, unit),
        `${JSON.stringify({ schema: 'netops/supervisor/v1', ...about, state, ...(child && { child }), ...(ended === undefined ? {} : { ended }) })}\n`,
      ).catch((error: unknown) => console.error(`netops: the supervisor cannot write its state: ${messageOf(error)}`))
    ended = await runOnce(paths, unit, { note, stop })
    if (isStopping()) break
    await note('restarting')
    await sleep(restartDelayMs, undefined, { signal: stop }).catch(() => undefined) // it is asked to stop
  }
}

interface Life {
  readonly note: (state: SupervisorState['state'], child?: SupervisorState['child']) => Promise<void>
  readonly stop: AbortSignal
}

/** @returns the exit code of the unit's command */
async function runOnce(paths: HostPaths, unit: string, { note, stop }: Life): Promise<number> {
  const output = unitOutput(paths, unit)
  try {
    const command = commandOfUnit((await readTextIfAny(unitFile(paths, unit))) ?? '')
    if (command === undefined) throw new NetopsError('failed', { message: `${unitFile(paths, unit)} holds no command` })
    const kept = ['PATH', 'HOME', 'TZ'].flatMap((name): [string, string][] => {
      const value = process.env[name]
      return value === undefined ? [] : [[name, value]]
    })
    const started = await start(command, { output, env: { ...Object.fromEntries(kept), LC_ALL: 'C' } })
    const child = await identify(started.pid)
    await note('running', child)
    const end = async (): Promise<void> => {
      if (child !== undefined) await signalProcess(child, 'SIGINT')
      await sleep(stopTimeoutMs, undefined, { ref: false })
      if (child !== undefined) await signalProcess(child, 'SIGKILL')
    }
    const onStop = (): void => void end()
    stop.addEventListener('abort', onStop, { once: true })
    if (stop.aborted) onStop()
    const code = await started.ended
    stop.removeEventListener('abort', onStop)
    return code
  } catch (error) {
    await fs.appendFile(output, `netops: ${messageOf(error)}\n`)
    return 127
  }
}

/** The state as it stands. One that cannot be read says nothing. */
async function readUnitState(paths: HostPaths, unit: string): Promise<SupervisorState | undefined> {
  const path = unitStateFile(paths, unit)
  return supervisorState.safeParse(parseJson((await readStateText({ path, hint: putAside(path) })) ?? '')).data
}

async function endChild(state: SupervisorState | undefined): Promise<void> {
  if (state?.child === undefined) return
  const { child } = state
  await signalProcess(child, 'SIGINT')
  const deadline = performance.now() + stopTimeoutMs
  while (await isAlive(child)) {
    if (performance.now() > deadline) await signalProcess(child, 'SIGKILL')
    await sleep(20)
  }
}

/**
 * Starts a unit below a root unless it runs; returns once its process was started.
 * @param self the command that runs this netops, which becomes the supervisor
 * @throws NetopsError `failed` where no process comes of it
 */
export async function startUnit(root: string, unit: string, self: readonly string[]): Promise<void> {
  const paths = hostPaths(root)
  const before = await readUnitState(paths, unit)
  if (before !== undefined && (await isAlive(before.supervisor))) return
  await refuseSharedRoot(root)
  await makeFolder(paths.runtimeDir)
  await makeFolder(paths.logDir, 0o750)
  const output = unitOutput(paths, unit)
  await start([...self, ...supervisorWords(root, unit)], { output, detached: true, env: unmarkedEnvironment() })
  const deadline = performance.now() + startTimeoutMs
  for (;;) {
    const now = await readUnitState(paths, unit)
    if (now !== undefined && (await isAlive(now.supervisor))) return
    if (performance.now() > deadline) {
      throw new NetopsError('failed', { message: `the supervisor of ${unit} did not start`, hint: `see ${output}` })
    }
    await sleep(20)
  }
}

/** Stops a unit below a root, gracefully within its time; fine when it does not run. */
export async function stopUnit(root: string, unit: string): Promise<void> {
  const paths = hostPaths(root)
  const state = await readUnitState(paths, unit)
  if (state !== undefined) {
    await signalProcess(state.supervisor, 'SIGTERM')
    while (await isAlive(state.supervisor)) await sleep(20)
  }
  await endChild(state)
  const lock = await tryProcessLock(lockOf(paths, unit)).catch(() => undefined) // there is no such folder
  if (lock === undefined) return
  await fs.rm(unitStateFile(paths, unit), { force: true })
  await lock.release()
}
