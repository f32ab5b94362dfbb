// A rollback of a fleet: on each host back to what was in service before, or to a release that is named.
import { hostPaths } from '../../model/paths.ts'
import { NetopsError } from '../../model/errors.ts'
import { fieldsOf, type FleetProcedure } from '../procedure.ts'
import { readActivations } from './facts.ts'
import type { ActivationRecord, ActivationRequest } from './request.ts'
import { chooseRollback } from './rollback.ts'
import type { HealthTiming } from './timing.ts'

export interface Rollback {
  /** A release id, a version or an activation id; without it, what was in service before. */
  readonly to: string | undefined
  readonly timing: HealthTiming
}

export const rollback: FleetProcedure<Rollback, readonly ActivationRecord[]> = {
  name: 'rollback',
  look: (_, { root }, reader) => readActivations(reader, hostPaths(root)),
  assign({ to, timing }, place, activations) {
    if (activations === undefined) {
      throw new NetopsError('unreachable', {
        host: place.host,
        message: 'the host cannot be asked what was in service before',
        hint: 'roll this host back when it is back: netops rollback --hosts NAME',
      })
    }
    const restored = chooseRollback(place.host, activations, to)
    const request: ActivationRequest = {
      procedure: 'activate',
      ...fieldsOf(place),
      ...timing,
      release: { ...restored.release, checksConfig: restored.checksConfig },
      config: {
        from: `${hostPaths(place.root).history}/${restored.id}/config.yaml`,
        sha256: restored.configSha256,
      },
      endpoints: restored.endpoints,
      reason: 'rollback',
      restores: restored.id,
    }
    return { request, pushes: [] }
  },
}
