// Makes this a primary or a standby, on the disk and for all threads.
import { setTimeout as pause } from 'node:timers/promises'
import { NetopsError } from '../../model/errors.ts'
import { writeRole } from '../standing/role.ts'
import type { Role, StandingKeeper } from '../standing/standing.ts'
import type { Shared } from '../threads/shared.ts'
import type { EventLog } from '../threads/thread-log.ts'

export interface RoleParts {
  /** The file that keeps the role. */
  readonly path: string
  readonly standing: StandingKeeper
  readonly shared: Pick<Shared, 'writes'>
  readonly log: Pick<EventLog, 'info'>
}

// Whoever asked waits for 10 s (operate.ts); a write takes milliseconds, unless the database stands still.
const writesLimitMs = 8000
const lookMs = 5

/**
 * @returns what changes the role, one change after the other where several ask. It throws NetopsError `failed` where writes
 * that came before a standby are still at work after a while: it takes no others
 */
export function roleChanger(parts: RoleParts): (role: Role) => Promise<void> {
  let last: Promise<unknown> = Promise.resolve()
  return (role) => {
    const result = last.then(() => change(role, parts))
    last = result.catch(() => undefined)
    return result
  }
}

async function change(role: Role, { path, standing, shared, log }: RoleParts): Promise<void> {
  // A standby begins nothing more from this moment on; a primary begins when it is on the disk that it is one.
  if (role.kind === 'standby') standing.setRole(role)
  await writeRole(path, role)
  standing.setRole(role)
  log.info({ ...role }, `the role is ${role.kind} from now on`)
  // What is copied from here after that has all that was answered here.
  if (role.kind === 'standby') await writesEnd(shared)
}

async function writesEnd(shared: Pick<Shared, 'writes'>): Promise<void> {
  const until = performance.now() + writesLimitMs
  while (shared.writes() > 0) {
    if (performance.now() > until) {
      throw new NetopsError('failed', {
        message: `this is a standby now, and ${shared.writes()} writes that came before are still at work`,
        hint: 'ask for it again, which waits for them again',
      })
    }
    await pause(lookMs)
  }
}
