// The options about how long a release must stay healthy.
import { duration } from '../model/units.ts'
import type { OptionSpec } from './command.ts'

export const timingOptions: readonly OptionSpec[] = [
  {
    flags: '--min-healthy-time <duration>',
    description: 'how long it must stay healthy (default: the fleet file, then 10s)',
  },
  { flags: '--healthy-deadline <duration>', description: 'how long it may take to become healthy (default: 2m)' },
]
export const timingSchema = { minHealthyTime: duration.optional(), healthyDeadline: duration.optional() }
