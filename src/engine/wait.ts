// Waiting until a probe's answer has held: the only place where a run waits.
import { wantedBy } from '../model/effects.ts'
import { NetopsError } from '../model/errors.ts'
import type { Wait } from '../model/plan.ts'
import { Halted } from './halt.ts'
import type { World } from './world.ts'

const probeEveryMs = 1000 // often enough to react, seldom enough not to load a starting server

/**
 * Returns when the answer has been good for as long as asked.
 * @throws NetopsError `unhealthy` at the deadline, or at once where waiting cannot help
 * @throws Halted when the signal is aborted meanwhile
 */
export async function waitUntil(world: World, host: string, wait: Wait, signal: AbortSignal): Promise<void> {
  const deadline = world.now() + wait.deadlineMs
  let goodSince: number | undefined
  let startId: string | undefined
  for (;;) {
    const answer = await world.probe(host, wait.probe)
    const now = world.now()
    if (!answer.ok || answer.startId !== startId) goodSince = undefined
    startId = answer.startId
    // Held too short a time when the deadline comes: let a good streak end, but start no new one after it.
    if (answer.ok && now <= deadline) goodSince ??= now
    if (goodSince !== undefined && now - goodSince >= wait.holdForMs) return
    if (goodSince === undefined && (answer.hopeless === true || now >= deadline)) {
      const how = answer.hopeless === true ? '' : ` within ${wait.deadlineMs / 1000} s`
      throw new NetopsError('unhealthy', {
        message: `not ${wantedBy(wait.probe)}${how}: ${answer.seen}`,
        hint: answer.hint,
      })
    }
    if (signal.aborted) throw new Halted()
    const left = goodSince === undefined ? deadline - now : goodSince + wait.holdForMs - now
    await world.sleep(Math.max(10, Math.min(probeEveryMs, left)), signal)
  }
}
