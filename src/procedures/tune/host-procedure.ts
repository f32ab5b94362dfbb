// Tuning as a procedure of one host, and taking it back.
import { tuningRequest, type TuningRequest } from './request.ts'
import { defineHostProcedure } from '../procedure.ts'
import { readTuningFacts, type TuningFacts } from './facts.ts'
import { planTuning, refuseUntunable } from './plan.ts'
import { tuningTemplates } from './templates.ts'

export const tune = defineHostProcedure<TuningRequest, TuningFacts>({
  name: 'tune',
  title: 'Tune the host',
  request: tuningRequest,
  leases: ['release'],
  facts: (request, { reader, services }) => readTuningFacts(reader, services, request),
  plan(request, facts) {
    refuseUntunable(request, facts)
    return planTuning(request, facts, tuningTemplates())
  },
  reason: ({ action }) => (action === 'apply' ? 'tuning' : 'taking tuning back'),
  result({ action }, changed) {
    const done = action === 'apply' ? 'tuned' : 'tuning taken back'
    return { text: changed ? done : 'nothing to do', data: {} }
  },
})
