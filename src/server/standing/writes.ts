// Writes by the role at the moment in which the database gets them: since the guard looked, their bodies may have been on the
// way for long.
import type { Store } from '../store/port.ts'
import type { Shared } from '../threads/shared.ts'
import { refusalByRole, type StandingRefusal } from './refusals.ts'
import type { Standing } from './standing.ts'

/** This has become a standby; nothing was written. */
export class WriteRefused extends Error {
  readonly refusal: StandingRefusal

  constructor(refusal: StandingRefusal) {
    super(refusal.detail)
    this.refusal = refusal
  }
}

export interface WriteRules {
  readonly standing: Standing
  /** Where writes at work are counted. */
  readonly shared: Pick<Shared, 'addWrites'>
}

/** A store that throws WriteRefused for writes to a standby. */
export const writesByRole = (store: Store, { standing, shared }: WriteRules): Store => ({
  ...store,
  async write(write) {
    // Counted before it looks at the role: whoever makes this a standby looks at the count after that.
    shared.addWrites(1)
    try {
      const refusal = refusalByRole(standing, { method: 'PUT' })
      if (refusal !== undefined) throw new WriteRefused(refusal)
      return await store.write(write)
    } finally {
      shared.addWrites(-1)
    }
  },
})
