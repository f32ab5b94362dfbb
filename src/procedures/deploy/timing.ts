// How long a release must stay healthy and how long that may take: flags, then the fleet file, then the defaults.

/** What an activation is told about time, in ms, and how many releases it keeps. */
export interface HealthTiming {
  readonly minHealthyMs: number
  readonly healthyDeadlineMs: number
  readonly keepReleases: number
}

// Ten seconds outlast a crash at start and its restarts; two minutes a slow start on a busy host.
const defaults: HealthTiming = { minHealthyMs: 10_000, healthyDeadlineMs: 120_000, keepReleases: 5 }

interface TimingFlags {
  readonly minHealthyTime?: number | undefined
  readonly healthyDeadline?: number | undefined
}

/** What the fleet file says of it. */
interface FleetTiming {
  readonly minHealthyMs: number | undefined
  readonly healthyDeadlineMs: number | undefined
}

export const timingOf = (flags: TimingFlags, fleet: FleetTiming): HealthTiming => ({
  minHealthyMs: flags.minHealthyTime ?? fleet.minHealthyMs ?? defaults.minHealthyMs,
  healthyDeadlineMs: flags.healthyDeadline ?? fleet.healthyDeadlineMs ?? defaults.healthyDeadlineMs,
  keepReleases: defaults.keepReleases,
})
