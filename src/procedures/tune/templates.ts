// The texts that tuning renders.
import { readTemplate } from '../../system/assets.ts'
import type { TuningTemplates } from './goal.ts'

export const tuningTemplates = (): TuningTemplates => ({
  sysctl: readTemplate('tuning/sysctl.conf'),
  limits: readTemplate('tuning/limits.conf'),
  unit: readTemplate('tuning/unit.conf'),
  environment: readTemplate('tuning/tuning.env'),
  socket: readTemplate('network_service.socket'),
})
