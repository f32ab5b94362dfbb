// Activation as a procedure of one host: what a deployment and a rollback both come to there.
import { leastFreeDisk } from '../../model/free-disk.ts'
import { hostPaths } from '../../model/paths.ts'
import { readTemplate } from '../../system/assets.ts'
import type { Demand } from '../demands.ts'
import { defineHostProcedure } from '../procedure.ts'
import { ownFolders, readActivationFacts, refuseImpossible, releaseIn, type ActivationFacts } from './facts.ts'
import { planActivation } from './plan.ts'
import { activationRequest, type ActivationRequest } from './request.ts'

export const activate = defineHostProcedure<ActivationRequest, ActivationFacts>({
  name: 'activate',
  title: 'Activate it on the host',
  request: activationRequest,
  leases: ['release'],
  facts: (request, { reader, services }) =>
    readActivationFacts(reader, services, {
      root: request.root,
      release: request.release.id,
      config: request.config.from,
      needs: request.release.needs,
      files: (request.files ?? []).map(({ to }) => to),
    }),
  plan(request, facts) {
    refuseImpossible(request, facts)
    const [unit, socket] = [readTemplate('network_service.service'), readTemplate('network_service.socket')]
    return planActivation(request, facts, { unit, socket, tmpfiles: readTemplate('network_service.tmpfiles') })
  },
  demands({ root, release }) {
    const paths = hostPaths(root)
    const folders = ownFolders(paths).map((path): Demand => ({ path, as: 'folder', bytes: 0 }))
    // A release that comes is to be healthy afterwards; going back is not kept from anybody by a disk that is nearly full.
    const spare = release.from === undefined ? 0 : leastFreeDisk
    return [
      ...folders,
      ...[paths.dataDir, paths.logDir].map((path): Demand => ({ path, as: 'folder', bytes: 0, spare })),
    ]
  },
  reason: ({ reason, release }) => `${reason} of ${release.id}`,
  async standing({ root }, { reader }) {
    const paths = hostPaths(root)
    const link = await reader.readLink(paths.current)
    return { release: (link === undefined ? undefined : releaseIn(link, paths)) ?? null }
  },
  result({ release: { id } }, changed, { undone, standing }) {
    if (standing === undefined) {
      const text = undone ? 'taken back' : changed ? `${id} was brought into service` : 'nothing to do'
      return { text: `${text}; what is in service now was not asked`, data: {} }
    }
    const { release } = standing
    const now = `${release ?? 'no release'} is in service`
    const text = undone
      ? `taken back, ${now}`
      : !changed
        ? `nothing to do, ${now}`
        : release === id
          ? `${now} and healthy`
          : now
    return { text, data: { release: release ?? null } }
  },
})
