// Removing backups that no rule keeps, as a procedure of one host.
import { judgeExpiry, type JudgedEntry } from '../../backups/expiry.ts'
import { hostPaths } from '../../model/paths.ts'
import { sequence, type Group } from '../../model/plan.ts'
import { formatBytes } from '../../model/units.ts'
import { expiring } from '../backup/expire.ts'
import { stepOf } from '../backup/plan.ts'
import { readClock } from '../gc/clean-up.ts'
import { defineHostProcedure } from '../procedure.ts'
import { readCatalogue } from '../read-catalogue.ts'
import { expireRequest, type ExpireRequest } from './request.ts'

interface ExpireFacts {
  /** The host's clock, in ms since 1970. */
  readonly now: number
  readonly entries: readonly JudgedEntry[]
}

export const backupExpire = defineHostProcedure<ExpireRequest, ExpireFacts>({
  name: 'backup-expire',
  title: 'Remove backups that no rule keeps',
  request: expireRequest,
  leases: ['backup'],
  async facts({ root, lookedAt }, { reader }) {
    const [now, { entries }] = await Promise.all([
      lookedAt ?? readClock(reader),
      readCatalogue(reader, hostPaths(root).catalogue),
    ])
    const judged = entries.map(({ id, kind, madeAt, verified, damage }) => ({ id, kind, madeAt, verified, damage }))
    return { now, entries: judged }
  },
  plan: planExpiry,
  reason: () => 'removing backups',
  result: (_request, _changed, { results }) => {
    const { removed = [], freedBytes = 0 } = (results.expire ?? {}) as {
      readonly removed?: readonly string[]
      readonly freedBytes?: number
    }
    const text =
      removed.length === 0 ? 'nothing to remove' : `removed ${removed.join(', ')} (${formatBytes(freedBytes)})`
    return { text, data: {} }
  },
})

function planExpiry({ root, host, keep }: ExpireRequest, { now, entries }: ExpireFacts): Group {
  const gone = judgeExpiry(entries, keep, now).filter(({ kept }) => !kept)
  const ids = gone.map(({ id, reason }) => ({ id, reason }))
  const title = gone.length === 1 ? 'Remove 1 backup' : `Remove ${gone.length} backups`
  const step = stepOf(host, 'expire', title, expiring({ catalogue: hostPaths(root).catalogue, keep, nowMs: now, ids }))
  return sequence(`Expire backups on ${host}`, [gone.length === 0 ? { ...step, act: [], unchanged: true } : step])
}
