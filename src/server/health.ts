// /health in the guide's shape: four checks run together, the answer kept for a moment so that probes cost little.
import { messageOf } from '../model/errors.ts'
import type { Check, Verdict } from './checks.ts'

// guide: Health Checks
const checkNames = ['database', 'memory', 'disk', 'network'] as const
export type CheckName = (typeof checkNames)[number]

/** The body of /health: exactly these keys. */
export interface HealthStatus {
  readonly healthy: boolean
  readonly status: 'healthy' | 'unhealthy'
  readonly checks: Readonly<Record<CheckName, boolean>>
}

export interface Health {
  read(): Promise<HealthStatus>
}

/** Health where it is looked at. */
export interface OwnHealth extends Health {
  /** How long ago it was looked at for what `read` gives, in ms. */
  readonly ageMs: () => number
}

export interface HealthOptions {
  readonly checks: Readonly<Record<CheckName, Check>>
  /** A clock in milliseconds that never goes back. */
  readonly now: () => number
  /** Called for each check whose result is another than before, and for each that fails at first. */
  readonly onChange: (name: CheckName, verdict: Verdict) => void
}

// Balancers and deployments probe once a second each: a younger answer would not tell them more.
export const freshMs = 1000
// A check that hangs (a file system on a dead network mount) is a check that fails.
const checkTimeLimitMs = 2000

export function createHealth({ checks, now, onChange }: HealthOptions): OwnHealth {
  let last: { readonly at: number; readonly status: Promise<HealthStatus> } | undefined
  const before = new Map<CheckName, boolean>()

  const run = async (): Promise<HealthStatus> => {
    const verdicts = await Promise.all(checkNames.map(async (name) => [name, await withinLimit(checks[name])] as const))
    for (const [name, verdict] of verdicts) {
      const good = verdict === undefined
      if ((before.get(name) ?? true) !== good) onChange(name, verdict)
      before.set(name, good)
    }
    return statusOf(Object.fromEntries(verdicts.map(([name, verdict]) => [name, verdict === undefined])))
  }

  return {
    read() {
      if (last === undefined || now() - last.at >= freshMs) last = { at: now(), status: run() }
      return last.status
    },
    ageMs: () => (last === undefined ? 0 : now() - last.at),
  }
}

const statusOf = (good: Readonly<Partial<Record<CheckName, boolean>>>): HealthStatus => {
  const passed = (name: CheckName): boolean => good[name] === true
  const healthy = checkNames.every(passed)
  return {
    healthy,
    status: healthy ? 'healthy' : 'unhealthy',
    checks: {
      database: passed('database'),
      memory: passed('memory'),
      disk: passed('disk'),
      network: passed('network'),
    },
  }
}

async function withinLimit(check: Check): Promise<Verdict> {
  let limit: NodeJS.Timeout | undefined
  const late = new Promise<Verdict>((resolve) => {
    limit = setTimeout(() => resolve(`no answer within ${checkTimeLimitMs / 1000} s`), checkTimeLimitMs)
  })
  try {
    return await Promise.race([check(), late])
  } catch (error) {
    return messageOf(error)
  } finally {
    clearTimeout(limit)
  }
}
