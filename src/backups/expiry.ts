// Which backups are kept, and why: by age, and by the newest of hours, days, weeks and months. Pure.
import { isGood, type BackupEntry, type BackupKind } from '../model/backup.ts'
import { formatDuration } from '../model/units.ts'
import { newestFirst } from './catalogue.ts'

/** What is kept of each kind. */
export interface KeepRules {
  /** In ms: all that are at most this much older than the newest good one. */
  readonly withinMs: number
  readonly last: number
  readonly hourly: number
  readonly daily: number
  readonly weekly: number
  readonly monthly: number
}

/** What is looked at of a backup. */
export type JudgedEntry = Pick<BackupEntry, 'id' | 'kind' | 'madeAt' | 'verified' | 'damage'>

export interface Verdict {
  readonly id: string
  readonly kept: boolean
  /** For people: `the last good one`, `older than 30 d`. */
  readonly reason: string
}

/**
 * Decides of each backup whether it is kept, the newest first. Kinds stand for themselves. What was not verified, or is
 * damaged, counts for nothing: no good one goes because it is there, and where there is no good one, nothing goes. Age is
 * counted from the newest good one, not by the clock: where no more backups are made, those that are there stay. Those that
 * were made by a clock that was ahead are no measure for others, and stay until it has caught up.
 * @param nowMs the clock, in ms since 1970
 */
export function judgeExpiry(entries: readonly JudgedEntry[], rules: KeepRules, nowMs: number): readonly Verdict[] {
  const kinds = new Map<BackupKind, readonly JudgedEntry[]>(Map.groupBy(newestFirst(entries), ({ kind }) => kind))
  const verdicts = new Map(
    [...kinds.values()].flatMap((ofKind) => judgeKind(ofKind, rules, nowMs)).map((one) => [one.id, one]),
  )
  return newestFirst(entries).flatMap(({ id }) => verdicts.get(id) ?? [])
}

// As far as the clocks of well-kept machines are apart, and more.
const aheadMs = 3_600_000

function judgeKind(entries: readonly JudgedEntry[], rules: KeepRules, nowMs: number): readonly Verdict[] {
  const isAhead = ({ madeAt }: JudgedEntry): boolean => Date.parse(madeAt) > nowMs + aheadMs
  const good = entries.filter((entry) => isGood(entry) && !isAhead(entry))
  const [newest] = good
  if (newest === undefined) {
    return entries.map(({ id }) => ({ id, kept: true, reason: 'there is no good one to count from' }))
  }
  const chosen = chooseGood(good, rules)
  return entries.map((entry) => {
    const { id } = entry
    if (isAhead(entry)) return { id, kept: true, reason: 'made by a clock that was ahead' }
    const reason = chosen.get(id)
    if (reason !== undefined) return { id, kept: true, reason }
    const age = Date.parse(newest.madeAt) - Date.parse(entry.madeAt)
    const isYoung = age <= rules.withinMs
    if (isGood(entry)) return { id, kept: isYoung, reason: isYoung ? within(rules) : beyond(rules) }
    const why = entry.damage !== null ? 'damaged' : 'not verified'
    return { id, kept: isYoung, reason: `${why}; ${isYoung ? within(rules) : beyond(rules)}` }
  })
}

const dayMs = 86_400_000
const spanText = (ms: number): string => (ms % dayMs === 0 ? `${ms / dayMs} d` : formatDuration(ms))
const within = ({ withinMs }: KeepRules): string => `within ${spanText(withinMs)} of the newest good one`
const beyond = ({ withinMs }: KeepRules): string => `more than ${spanText(withinMs)} older than the newest good one`

/** The good ones that a rule names, with the first reason for each. */
function chooseGood(good: readonly JudgedEntry[], rules: KeepRules): ReadonlyMap<string, string> {
  const chosen = new Map<string, string>()
  const choose = ({ id }: JudgedEntry, reason: string): void => {
    if (!chosen.has(id)) chosen.set(id, reason)
  }
  const [newest] = good
  if (newest !== undefined) choose(newest, 'the last good one')
  for (const entry of good.slice(0, rules.last)) choose(entry, `one of the last ${rules.last}`)
  for (const [name, count, spanOf] of spans(rules)) {
    const seen = new Set<string>()
    for (const entry of good) {
      const span = spanOf(new Date(entry.madeAt))
      if (seen.has(span)) continue
      if (seen.size >= count) break
      seen.add(span)
      choose(entry, `the newest of its ${name}`)
    }
  }
  return chosen
}

type Span = readonly [name: string, count: number, of: (at: Date) => string]

/** By UTC. */
const spans = ({ hourly, daily, weekly, monthly }: KeepRules): readonly Span[] => [
  ['hour', hourly, (at) => at.toISOString().slice(0, 13)],
  ['day', daily, (at) => at.toISOString().slice(0, 10)],
  ['week', weekly, mondayOf],
  ['month', monthly, (at) => at.toISOString().slice(0, 7)],
]

const mondayOf = (at: Date): string =>
  new Date(at.getTime() - ((at.getUTCDay() + 6) % 7) * dayMs).toISOString().slice(0, 10)
