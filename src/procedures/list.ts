// What a host can be ordered to do: each procedure's facts, plan and words behind one name.
import { planActivation } from './deploy/plan.ts'
import { readActivationFacts, refuseImpossible } from './deploy/facts.ts'
import type { HostReader } from '../drivers/hosts/port.ts'
import type { ServiceManager } from '../drivers/services/port.ts'
import type { HostOrder } from './request.ts'
import type { Plan } from '../model/plan.ts'
import { readTemplate } from '../system/assets.ts'
import { planCleanUp, readCleanUpFacts } from './gc/clean-up.ts'
import { readTuningFacts } from './tune/facts.ts'
import type { TuningTemplates } from './tune/goal.ts'
import { planTuning, refuseUntunable } from './tune/plan.ts'

/** What facts are read through. */
export interface Sources {
  readonly reader: HostReader
  readonly services: ServiceManager
}

export interface Decided {
  readonly facts: unknown
  readonly plan: Plan
}

/**
 * Reads a host's facts and decides what its part consists of; the same over SSH for a dry run and on the host itself.
 * @throws NetopsError `refused` when the facts show that it cannot work; nothing was touched then
 */
export async function decideHostPart(order: HostOrder, { reader, services }: Sources): Promise<Decided> {
  switch (order.procedure) {
    case 'activate': {
      const facts = await readActivationFacts(reader, services, {
        root: order.root,
        release: order.release.id,
        files: (order.files ?? []).map(({ to }) => to),
      })
      refuseImpossible(order, facts)
      const unit = readTemplate('network_service.service')
      const plan = planActivation(order, facts, { unit, tmpfiles: readTemplate('network_service.tmpfiles') })
      return { facts, plan }
    }
    case 'tune': {
      const facts = await readTuningFacts(reader, services, order)
      refuseUntunable(order, facts)
      return { facts, plan: planTuning(order, facts, tuningTemplates()) }
    }
    case 'gc': {
      const facts = await readCleanUpFacts(reader, order)
      return { facts, plan: planCleanUp(order, facts) }
    }
  }
}

/** The texts that tuning renders. */
export const tuningTemplates = (): TuningTemplates => ({
  sysctl: readTemplate('tuning/sysctl.conf'),
  limits: readTemplate('tuning/limits.conf'),
  unit: readTemplate('tuning/unit.conf'),
  environment: readTemplate('tuning/tuning.env'),
})

/** Why the host is taken, for whoever finds it so. */
export function reasonOf(order: HostOrder): string {
  switch (order.procedure) {
    case 'activate':
      return `${order.reason} of ${order.release.id}`
    case 'tune':
      return order.action === 'apply' ? 'tuning' : 'taking tuning back'
    case 'gc':
      return 'cleaning up'
  }
}

/** How a part that is done is told, and what scripts are told of it. */
export function toldOf(order: HostOrder, changed: boolean): { text: string; data: Readonly<Record<string, unknown>> } {
  switch (order.procedure) {
    case 'activate': {
      const { id } = order.release
      const text = changed ? `${id} is in service and healthy` : `nothing to do, ${id} is in service`
      return { text, data: { release: id } }
    }
    case 'tune': {
      const done = order.action === 'apply' ? 'tuned' : 'tuning taken back'
      return { text: changed ? done : 'nothing to do', data: {} }
    }
    case 'gc':
      return { text: changed ? 'cleaned up' : 'nothing to do', data: {} }
  }
}
