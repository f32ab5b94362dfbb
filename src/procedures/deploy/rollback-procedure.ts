// A rollback of a fleet: on each host back to what was in service before, or to a release that is named.
import { basename } from 'node:path'
import { hostPaths } from '../../model/paths.ts'
import { NetopsError } from '../../model/errors.ts'
import { fieldsOf, type FleetProcedure } from '../procedure.ts'
import { readHistory, type History, type InPlace } from './history.ts'
import type { ActivationRequest } from './request.ts'
import { chooseRollback, refuseUnread } from './rollback.ts'
import type { HealthTiming } from './timing.ts'

export interface Rollback {
  /** A release id, a version or an activation id; without it, what was in service before. */
  readonly to: string | undefined
  readonly timing: HealthTiming
  /** Whether it goes on where a database cannot be asked which data it has. */
  readonly unasked: boolean
}

interface Found {
  readonly history: History
  readonly place: InPlace
  /** The releases that are on the host. */
  readonly releases: readonly string[]
}

export const rollback: FleetProcedure<Rollback, Found> = {
  name: 'rollback',
  async look(_, { root }, reader) {
    const paths = hostPaths(root)
    const [history, releases] = await Promise.all([readHistory(reader, paths), reader.list(paths.releases)])
    // What is in place tells only whether a record that cannot be read is the one of it.
    if (history.unread.length === 0) {
      return { history, releases, place: { current: undefined, configSha256: undefined } }
    }
    const [link, configSha256] = await Promise.all([reader.readLink(paths.current), reader.sha256(paths.config)])
    return { history, releases, place: { current: link && basename(link), configSha256 } }
  },
  assign({ to, timing, unasked }, place, found) {
    if (found === undefined) {
      throw new NetopsError('unreachable', {
        host: place.host,
        message: 'the host cannot be asked what was in service before',
        hint: 'roll this host back when it is back: netops rollback --hosts NAME',
      })
    }
    const { history, releases } = found
    if (to === undefined) refuseUnread(place.host, history, found.place, releases)
    const restored = chooseRollback(place.host, { activations: history.activations, releases }, to)
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
      ...(unasked ? { unasked: true } : {}),
    }
    return { request, pushes: [] }
  },
}
