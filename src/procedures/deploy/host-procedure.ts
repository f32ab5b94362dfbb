// Activation as a procedure of one host: what a deployment and a rollback both come to there.
import { readTemplate } from '../../system/assets.ts'
import { defineHostProcedure } from '../procedure.ts'
import { readActivationFacts, refuseImpossible, type ActivationFacts } from './facts.ts'
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
      needs: request.release.needs,
      files: (request.files ?? []).map(({ to }) => to),
    }),
  plan(request, facts) {
    refuseImpossible(request, facts)
    const unit = readTemplate('network_service.service')
    return planActivation(request, facts, { unit, tmpfiles: readTemplate('network_service.tmpfiles') })
  },
  reason: ({ reason, release }) => `${reason} of ${release.id}`,
  result({ release: { id } }, changed) {
    const text = changed ? `${id} is in service and healthy` : `nothing to do, ${id} is in service`
    return { text, data: { release: id } }
  },
})
