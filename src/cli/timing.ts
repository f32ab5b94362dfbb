// How long a release must stay healthy and how long that may take: flags, then the fleet file, then the defaults.
import { duration, type Milliseconds } from '../model/units.ts'
import type { OptionSpec } from './command.ts'
import type { Fleet } from '../fleet/fleet.ts'

// Ten seconds outlast a crash at start and its restarts; two minutes a slow start on a busy host.
const defaults = { minHealthyMs: 10_000, healthyDeadlineMs: 120_000, keepReleases: 5 }

export const timingOptions: readonly OptionSpec[] = [
  {
    flags: '--min-healthy-time <duration>',
    description: 'how long it must stay healthy (default: the fleet file, then 10s)',
  },
  { flags: '--healthy-deadline <duration>', description: 'how long it may take to become healthy (default: 2m)' },
]
export const timingSchema = { minHealthyTime: duration.optional(), healthyDeadline: duration.optional() }

interface Flags {
  readonly minHealthyTime?: Milliseconds | undefined
  readonly healthyDeadline?: Milliseconds | undefined
}

/** What an activation is told about time, in ms, and how many releases it keeps. */
export const timingOf = (flags: Flags, fleet: Pick<Fleet, 'minHealthyMs' | 'healthyDeadlineMs'>) => ({
  minHealthyMs: flags.minHealthyTime ?? fleet.minHealthyMs ?? defaults.minHealthyMs,
  healthyDeadlineMs: flags.healthyDeadline ?? fleet.healthyDeadlineMs ?? defaults.healthyDeadlineMs,
  keepReleases: defaults.keepReleases,
})
