// Tuning a fleet, and taking it back: every host is asked for the same.
import type { TuningOptions } from '../../model/tuning.ts'
import { fieldsOf, type FleetProcedure } from '../procedure.ts'
import type { TuningRequest } from './request.ts'

/** What is wanted of the settings, and of a running service. */
export interface Tuning extends TuningOptions {
  readonly restart: boolean
  readonly timing: { readonly minHealthyMs: number; readonly healthyDeadlineMs: number }
}

const tuning = (name: string, action: TuningRequest['action']): FleetProcedure<Tuning, null> => ({
  name,
  look: () => Promise.resolve(null),
  assign({ profile, skip, set, restart, timing: { minHealthyMs, healthyDeadlineMs } }, place) {
    const request: TuningRequest = {
      procedure: 'tune',
      ...fieldsOf(place),
      action,
      profile,
      skip: [...skip],
      set,
      restart,
      minHealthyMs,
      healthyDeadlineMs,
    }
    return { request, pushes: [] }
  },
})

export const tuneApply = tuning('tune', 'apply')
export const tuneRevert = tuning('tune-revert', 'revert')
