// Tells the process that carries out a host run what the operator wants: to stop after its step, or to go back.
import { setTimeout as sleep } from 'node:timers/promises'
import { carrierOf } from '../engine/lease.ts'
import { hostPaths } from '../model/paths.ts'
import { signalProcess } from '../system/processes.ts'

// It may be on its way to its beginning.
const looks = { times: 20, everyMs: 100 }

/** Returns when it was told, or when nobody carries the run out. */
export async function stopHostRun(root: string, run: string, wanted: 'stop' | 'undo'): Promise<void> {
  const { runs } = hostPaths(root)
  for (let look = 0; look < looks.times; look += 1) {
    const carrier = await carrierOf(runs, run)
    // SIGTERM asks for the same as a first Ctrl-C, and stays that when it comes after the second.
    if (carrier !== undefined && (await signalProcess(carrier, wanted === 'undo' ? 'SIGUSR2' : 'SIGTERM'))) return
    await sleep(looks.everyMs)
  }
}
