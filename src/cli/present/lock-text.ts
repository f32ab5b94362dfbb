// Leases of hosts for people and scripts.
import type { LockState } from '../../engine/locks.ts'
import type { LockAction } from '../../fleet/locks.ts'
import type { HostAnswer } from '../../fleet/pool.ts'
import type { CommandResult } from '../command.ts'
import { shownText } from '../../model/escape.ts'
import { below, errorField, errorLines, outcomeOfAnswers } from './errors.ts'

/** @throws NetopsError where there is one host alone and it failed: its failure is the command's */
export function lockResult(answers: readonly HostAnswer<readonly LockState[]>[], action: LockAction): CommandResult {
  const [only] = answers
  if (answers.length === 1 && only?.error !== undefined) throw only.error
  return {
    outcome: outcomeOfAnswers(answers),
    data: { hosts: answers.map(({ host, value = [], error }) => ({ host, locks: value, ...errorField(error) })) },
    text: answers.map((answer) => linesOf(answer, action)).join('\n'),
  }
}

function linesOf({ host, value: locks = [], error }: HostAnswer<readonly LockState[]>, action: LockAction): string {
  if (error !== undefined)
    return errorLines(host, { message: error.message, hint: error.hint ?? 'netops status' }).join('\n')
  if (locks.length === 0) return `${host}: ${action === 'status' ? 'free' : 'nothing to give back'}`
  return locks
    .map((lock) => {
      const what = lock.lease === 'release' ? '' : `${shownText(lock.lease)}: `
      if (action === 'release' && lock.damage !== undefined)
        return `${host}: put aside: ${what}${below(lock.damage.message)}`
      if (action === 'release')
        return shownText(`${host}: given back: ${what}run ${lock.run} (${lock.reason}) by ${lock.user}`)
      if (lock.damage !== undefined) {
        const who = lock.standing === 'dead' ? 'nobody has it' : holders[lock.standing]
        return `${host}: ${what}${lock.state}: ${below(lock.damage.message)}; ${who}\n  hint: ${below(lock.damage.hint ?? 'netops lock release')}`
      }
      const heard = lock.standing === 'held' ? heardOf(lock) : holders[lock.standing]
      return shownText(
        `${host}: ${what}${lock.state}: run ${lock.run} (${lock.reason}) by ${lock.user} on ${lock.from} since ${lock.since}, ${heard}`,
      )
    })
    .join('\n')
}

const holders = { held: 'its holder lives', silent: 'its process stands still', dead: 'its process is gone' }

const heardOf = ({ silentSeconds, ahead }: LockState): string =>
  ahead === true
    ? 'last heard of before the clock was set back: whoever asks for the host watches it for 30 s'
    : `heard of ${silentSeconds} s ago`
