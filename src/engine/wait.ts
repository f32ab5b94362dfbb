// Waiting until a probe's answer has held: the only place where a run waits.
import { wantedBy, type ProbeAnswer } from '../model/effects.ts'
import { NetopsError } from '../model/errors.ts'
import type { Wait, WaitOutcome } from '../model/plan.ts'
import type { Executor } from './executor.ts'
import { Halted } from './halt.ts'

const probeEveryMs = 1000 // often enough to react, seldom enough not to load a starting server

/**
 * Returns when the answer has been good for as long as asked; where the wait goes on at its deadline, also then.
 * @param host where the question is asked unless the wait says otherwise
 * @returns how it ended
 * @throws NetopsError `unhealthy` at the deadline, or at once where waiting cannot help
 * @throws Halted when the signal is aborted meanwhile
 */
export async function waitUntil(
  executor: Executor,
  host: string,
  wait: Wait,
  signal: AbortSignal,
): Promise<WaitOutcome> {
  const deadline = executor.now() + wait.deadlineMs
  let goodSince: number | undefined
  let startId: string | undefined
  let first: ProbeAnswer | undefined
  for (;;) {
    const asked = wait.from ?? host
    const answer = await executor.probe(asked, wait.probe, first)
    // Started on purpose meanwhile, its restarts count from nothing again.
    if (first === undefined || (answer.restarts ?? 0) < (first.restarts ?? 0)) first = answer
    const now = executor.now()
    if (!answer.ok || answer.startId !== startId) goodSince = undefined
    startId = answer.startId
    // Held too short a time when the deadline comes: let a good streak end, but start no new one after it.
    if (answer.ok && now <= deadline) goodSince ??= now
    if (goodSince !== undefined && now - goodSince >= wait.holdForMs) return 'met'
    if (goodSince === undefined && (answer.hopeless === true || now >= deadline)) {
      if (wait.onDeadline === 'go-on') return answer.unknown === true ? 'inconclusive' : 'timed-out'
      throw unmet(wait, answer, await executor.lastWords(asked, wait.probe, first))
    }
    if (signal.aborted) throw new Halted()
    const left = goodSince === undefined ? deadline - now : goodSince + wait.holdForMs - now
    await executor.sleep(Math.max(10, Math.min(probeEveryMs, left)), signal)
  }
}

function unmet({ probe, deadlineMs }: Wait, answer: ProbeAnswer, log: readonly string[]): NetopsError {
  const how = answer.hopeless === true ? '' : ` within ${deadlineMs / 1000} s`
  return new NetopsError('unhealthy', {
    message: `not ${wantedBy(probe)}${how}: ${answer.seen}`,
    hint: answer.hint,
    log,
  })
}
