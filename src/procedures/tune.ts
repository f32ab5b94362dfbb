// Tunes one host: kernel parameters, limits, threads and pools.
import type { HostReader } from '../drivers/hosts/port.ts'
import type { ServiceManager } from '../drivers/services/port.ts'
import { sequence, type Group } from '../model/plan.ts'
import type { TuningInput } from '../model/tuning.ts'

export interface TuningFacts {
  readonly cores: number
}

export async function readTuningFacts(
  reader: HostReader,
  _services: ServiceManager,
  _order: TuningInput,
): Promise<TuningFacts> {
  return { cores: Number((await reader.query(['nproc'])).stdout) }
}

export const planTuning = (order: TuningInput, _facts: TuningFacts): Group => sequence(`Tune ${order.host}`, [])
