// What people and scripts see of the leases of hosts.
import type { LockState } from '../../engine/locks.ts'
import type { HostAnswer } from '../../fleet/pool.ts'
import { joinOutcomes } from '../../model/errors.ts'
import type { CommandResult } from '../command.ts'
import { errorLines, hostError } from './errors.ts'

type HostLocks = HostAnswer<readonly LockState[]>

/**
 * The leases of every host.
 * @throws NetopsError of the only host there is, where it failed
 */
export function locksResult(
  hosts: readonly HostLocks[],
  { line, none }: { readonly line: (lock: LockState) => string; readonly none: string },
): CommandResult {
  const [only] = hosts
  if (hosts.length === 1 && only?.error !== undefined) throw only.error
  return {
    outcome: joinOutcomes(hosts.map(({ error }) => ({ outcome: error?.code ?? 'done', changed: false }))),
    data: { hosts: hosts.map(({ host, value = [], error }) => ({ host, locks: value, ...hostError(error) })) },
    text: hosts
      .flatMap(({ host, value = [], error }) => {
        if (error !== undefined)
          return errorLines(host, { message: error.message, hint: error.hint ?? 'netops status' })
        return (value.length === 0 ? [none] : value.map(line)).map((text) => `${host}: ${text}`)
      })
      .join('\n'),
  }
}

const whatOf = ({ lease }: LockState): string => (lease === 'release' ? '' : `${lease}: `)

export const heldLine = (lock: LockState): string => {
  const { run, reason, user, from, since, state, standing, silentSeconds } = lock
  const heard = standing === 'held' ? `heard of ${silentSeconds} s ago` : holders[standing]
  return `${whatOf(lock)}${state}: run ${run} (${reason}) by ${user} on ${from} since ${since}, ${heard}`
}

const holders = { silent: 'its process stands still', dead: 'its process is gone' }

export const releasedLine = (lock: LockState): string =>
  `given back: ${whatOf(lock)}run ${lock.run} (${lock.reason}) by ${lock.user}`
