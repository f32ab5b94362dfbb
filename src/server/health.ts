// /health in the guide's shape: four checks run together, the answer kept for a moment so that probes cost little.
import { messageOf } from '../model/errors.ts'
import type { Check, Verdict } from './checks.ts'

// guide: Health Checks
const checkNames = ['database', 'memory', 'disk', 'network'] as const
export type CheckName = (typeof checkNames)[number]

export interface CheckDetails {
  /** How long the check took. */
  readonly duration_ms: number
  /** Why it fails, for anybody; not there where it holds. */
  readonly reason?: string
}

/** The body of /health: the guide's keys, and beside them what each check has to say. */
export interface HealthStatus {
  readonly healthy: boolean
  readonly status: 'healthy' | 'unhealthy'
  readonly checks: Readonly<Record<CheckName, boolean>>
  readonly details: Readonly<Record<CheckName, CheckDetails>>
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

interface Result {
  readonly verdict: Verdict
  readonly tookMs: number
}

export function createHealth({ checks, now, onChange }: HealthOptions): OwnHealth {
  let last: { readonly at: number; readonly status: Promise<HealthStatus> } | undefined
  const before = new Map<CheckName, boolean>()
  // One that hangs is not begun again beside itself: a few of them would hold all of the threads that files are read with.
  const hanging = new Map<CheckName, Promise<Verdict>>()

  const runOne = async (name: CheckName): Promise<Result> => {
    const started = now()
    const running = hanging.get(name) ?? begin(checks[name]).finally(() => hanging.delete(name))
    hanging.set(name, running)
    const verdict = await withinLimit(running)
    return { verdict, tookMs: now() - started }
  }
  const run = async (): Promise<HealthStatus> => {
    const [database, memory, disk, network] = await Promise.all([
      runOne('database'),
      runOne('memory'),
      runOne('disk'),
      runOne('network'),
    ])
    const results = { database, memory, disk, network }
    for (const name of checkNames) {
      const { verdict } = results[name]
      const good = verdict === undefined
      if ((before.get(name) ?? true) !== good) onChange(name, verdict)
      before.set(name, good)
    }
    return statusOf(results)
  }

  return {
    read() {
      if (last === undefined || now() - last.at >= freshMs) last = { at: now(), status: run() }
      return last.status
    },
    ageMs: () => (last === undefined ? 0 : now() - last.at),
  }
}

function statusOf(results: Readonly<Record<CheckName, Result>>): HealthStatus {
  const good = (name: CheckName): boolean => results[name].verdict === undefined
  const about = (name: CheckName): CheckDetails => {
    const { verdict, tookMs } = results[name]
    const duration = { duration_ms: Math.round(tookMs * 10) / 10 }
    return verdict === undefined ? duration : { ...duration, reason: verdict.reason }
  }
  const healthy = checkNames.every(good)
  return {
    healthy,
    status: healthy ? 'healthy' : 'unhealthy',
    checks: { database: good('database'), memory: good('memory'), disk: good('disk'), network: good('network') },
    details: {
      database: about('database'),
      memory: about('memory'),
      disk: about('disk'),
      network: about('network'),
    },
  }
}

/** What a check throws is a failure of which nothing is known that anybody may read. */
async function begin(check: Check): Promise<Verdict> {
  try {
    return await check()
  } catch (error) {
    return { reason: 'the check failed', detail: messageOf(error) }
  }
}

async function withinLimit(running: Promise<Verdict>): Promise<Verdict> {
  let limit: NodeJS.Timeout | undefined
  const reason = `no answer within ${checkTimeLimitMs / 1000} s`
  const late = new Promise<Verdict>((resolve) => {
    limit = setTimeout(() => resolve({ reason, detail: reason }), checkTimeLimitMs)
  })
  try {
    return await Promise.race([running, late])
  } finally {
    clearTimeout(limit)
  }
}
