// Leases of hosts for people and scripts.
import type { LockState } from '../../engine/locks.ts'
import type { LockAction } from '../../fleet/locks.ts'
import type { HostAnswer } from '../../fleet/pool.ts'
import type { CommandResult } from '../command.ts'
import { errorField, outcomeOfAnswers } from './errors.ts'

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
  if (error !== undefined) return `${host}: ${error.message}\n  hint: ${error.hint ?? 'netops status'}`
  if (locks.length === 0) return `${host}: ${action === 'status' ? 'free' : 'nothing to give back'}`
  return locks
    .map((lock) => {
      const what = lock.lease === 'release' ? '' : `${lock.lease}: `
      if (action === 'release' && lock.damage !== undefined) return `${host}: put aside: ${what}${lock.damage.message}`
      if (action === 'release') return `${host}: given back: ${what}run ${lock.run} (${lock.reason}) by ${lock.user}`
      if (lock.damage !== undefined) {
        const hint = lock.state === 'unfinished' ? `finish run ${lock.run}, or take it back` : 'netops lock release'
        return `${host}: ${what}${lock.state}: ${lock.damage.message}, ${holders[lock.standing]}\n  hint: ${hint}`
      }
      const clock = lock.ahead === true ? ', by a clock that was set back since' : ''
      const heard = (lock.standing === 'held' ? `heard of ${lock.silentSeconds} s ago` : holders[lock.standing]) + clock
      return `${host}: ${what}${lock.state}: run ${lock.run} (${lock.reason}) by ${lock.user} on ${lock.from} since ${lock.since}, ${heard}`
    })
    .join('\n')
}

const holders = { held: 'and its holder lives', silent: 'its process stands still', dead: 'its process is gone' }
