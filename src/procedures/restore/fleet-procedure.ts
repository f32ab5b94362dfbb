// Restoring on a fleet: each host its own backup, which was chosen and looked at before.
import { NetopsError } from '../../model/errors.ts'
import type { HealthTiming } from '../deploy/timing.ts'
import { fieldsOf, type FleetProcedure } from '../procedure.ts'
import type { HostLook, RestoreRequest } from './request.ts'

export interface Restoring {
  /** What each host said of the backup that is meant for it, and which netops there said it. */
  readonly looks: ReadonlyMap<string, { readonly look: HostLook; readonly looker: string }>
  readonly only: readonly string[]
  /** The folder in which archives were looked for, where that was not the host's catalogue. */
  readonly from: string | undefined
  readonly timing: Pick<HealthTiming, 'minHealthyMs' | 'healthyDeadlineMs'>
}

export const restore: FleetProcedure<Restoring, null> = {
  name: 'restore',
  look: () => Promise.resolve(null),
  assign({ looks, only, from, timing: { minHealthyMs, healthyDeadlineMs } }, place) {
    const found = looks.get(place.host)
    if (found === undefined) {
      throw new NetopsError('unreachable', {
        host: place.host,
        message: 'the host could not be asked for its backups',
        hint: 'restore it when it is back: netops restore --hosts NAME',
      })
    }
    const { id, look } = found.look
    const { manifestSha256 } = look.archive
    const request: RestoreRequest = {
      procedure: 'restore',
      ...fieldsOf(place),
      looker: found.looker,
      backup: { id, manifestSha256 },
      ...(from === undefined ? {} : { from }),
      only: [...only],
      minHealthyMs,
      healthyDeadlineMs,
    }
    return { request, pushes: [] }
  },
}
