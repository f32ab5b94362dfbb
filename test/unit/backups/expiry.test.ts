import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { judgeExpiry, type KeepRules } from '../../../src/backups/expiry.ts'
import { isGood, type BackupEntry } from '../../../src/model/backup.ts'
import { backupEntryOf } from '../../support/backups.ts'

const [hour, day] = [3_600_000, 86_400_000]
const now = Date.parse('2026-11-27T02:00:00Z')
const guide: KeepRules = { withinMs: 30 * day, last: 0, hourly: 0, daily: 0, weekly: 0, monthly: 0 }
const none: KeepRules = { ...guide, withinMs: 0 }

const verified = { at: '2026-11-27T03:00:00.000Z', how: 'stored', share: 1 } as const
const damage = { at: '2026-11-27T03:00:00.000Z', what: ['a bit'] }
const good = (agoMs: number, more: Partial<BackupEntry> = {}): BackupEntry =>
  backupEntryOf(now - agoMs, { verified, ...more })

const shown = (entries: readonly BackupEntry[], rules: KeepRules) =>
  judgeExpiry(entries, rules, now).map(({ kept, reason }) => `${kept ? 'keep' : 'remove'}: ${reason}`)

test("by the guide's rule those of the last 30 days stay", () => {
  expect(shown([good(0), good(30 * day), good(30 * day + 1000)], guide)).toEqual([
    'keep: the last good one',
    'keep: within 30 d of the newest good one',
    'remove: more than 30 d older than the newest good one',
  ])
})

describe('what is not known to be good', () => {
  test('counts for nothing: the good one before it stays the last', () => {
    const entries = [
      good(0, { verified: null }),
      good(hour, { verified: { ...verified, share: 0.1 } }),
      good(2 * hour, { damage }),
      good(90 * day),
      good(200 * day, { verified: null }),
    ]
    expect(shown(entries, guide)).toEqual([
      'keep: not verified; within 30 d of the newest good one',
      'keep: not verified; within 30 d of the newest good one',
      'keep: damaged; within 30 d of the newest good one',
      'keep: the last good one',
      'remove: not verified; more than 30 d older than the newest good one',
    ])
  })

  test('goes by no rule where nothing else is there', () => {
    const entries = [good(0, { verified: null }), good(400 * day, { damage })]
    expect(shown(entries, none)).toEqual(Array(2).fill('keep: there is no good one to count from'))
  })
})

test('the newest of hours, days, weeks and months stay, as many as are asked for', () => {
  const entries = [0, 0.5, 1.5, 30, 24 * 8, 24 * 40, 24 * 400].map((hours) => good(hours * hour))
  expect(shown(entries, { ...none, last: 2, hourly: 3, daily: 2, weekly: 2, monthly: 2 })).toEqual([
    'keep: the last good one',
    'keep: one of the last 2',
    'keep: the newest of its hour',
    'keep: the newest of its day',
    'keep: the newest of its week',
    'keep: the newest of its month',
    'remove: more than 0 d older than the newest good one',
  ])
})

test('a clock that was ahead makes no backup the measure of others', () => {
  expect(shown([good(-400 * day), good(0), good(hour)], guide)).toEqual([
    'keep: made by a clock that was ahead',
    'keep: the last good one',
    'keep: within 30 d of the newest good one',
  ])
})

test('kinds stand for themselves', () => {
  const entries = [good(0), good(90 * day, { kind: 'database' }), good(91 * day)]
  expect(shown(entries, guide)).toEqual([
    'keep: the last good one',
    'keep: the last good one',
    'remove: more than 30 d older than the newest good one',
  ])
})

describe('whatever there is and is asked for', () => {
  const entry = fc
    .record({
      hours: fc.integer({ min: 0, max: 10_000 }),
      kind: fc.constantFrom('config' as const, 'database' as const),
      state: fc.constantFrom('good', 'unverified', 'sampled', 'damaged'),
    })
    .map(({ hours, kind, state }) =>
      good(hours * hour, {
        kind,
        verified: state === 'unverified' ? null : { ...verified, share: state === 'sampled' ? 0.5 : 1 },
        damage: state === 'damaged' ? damage : null,
      }),
    )
  const entries = fc.uniqueArray(entry, { selector: ({ id }) => id, maxLength: 60 })
  const few = fc.integer({ min: 0, max: 8 })
  const rules = fc.record({
    withinMs: fc.integer({ min: 0, max: 400 }).map((days) => days * day),
    ...{ last: few, hourly: few, daily: few, weekly: few, monthly: few },
  })

  /** The rules said once more, as simply as can be: an entry is kept where any of them names it. */
  function keptBy(all: readonly BackupEntry[], keep: KeepRules): ReadonlySet<string> {
    const kept = new Set<string>()
    for (const kind of ['config', 'database']) {
      const there = all.filter((one) => one.kind === kind).toSorted((a, b) => (a.madeAt < b.madeAt ? 1 : -1))
      const reliable = there.filter(isGood)
      if (reliable.length === 0) there.forEach(({ id }) => kept.add(id))
      const newestMs = Date.parse(reliable[0]?.madeAt ?? '')
      for (const { id, madeAt } of there) if (newestMs - Date.parse(madeAt) <= keep.withinMs) kept.add(id)
      for (const { id } of reliable.slice(0, Math.max(1, keep.last))) kept.add(id)
      const newestOf = (count: number, lengthMs: number, offsetMs = 0) => {
        const slot = ({ madeAt }: BackupEntry) => Math.floor((Date.parse(madeAt) + offsetMs) / lengthMs)
        for (const number of [...new Set(reliable.map(slot))].slice(0, count)) {
          kept.add(reliable.find((one) => slot(one) === number)?.id ?? '')
        }
      }
      newestOf(keep.hourly, hour)
      newestOf(keep.daily, day)
      // 1970 began on a Thursday.
      newestOf(keep.weekly, 7 * day, 3 * day)
      const month = ({ madeAt }: BackupEntry) => madeAt.slice(0, 7)
      for (const name of [...new Set(reliable.map(month))].slice(0, keep.monthly)) {
        kept.add(reliable.find((one) => month(one) === name)?.id ?? '')
      }
    }
    return kept
  }

  test('exactly those stay that a rule names', () => {
    fc.assert(
      fc.property(entries, rules, (all, keep) => {
        const verdicts = judgeExpiry(all, keep, now)
        expect(verdicts.map(({ id }) => id).toSorted()).toEqual(all.map(({ id }) => id).toSorted())
        const kept = verdicts.flatMap((one) => (one.kept ? [one.id] : []))
        expect(kept.toSorted()).toEqual([...keptBy(all, keep)].toSorted())
      }),
      { numRuns: 300 },
    )
  })

  test('a good one stays where there was one, and what is left loses nothing more', () => {
    fc.assert(
      fc.property(entries, rules, (all, keep) => {
        const kept = new Set(judgeExpiry(all, keep, now).flatMap((one) => (one.kept ? [one.id] : [])))
        const left = all.filter(({ id }) => kept.has(id))
        expect(left.some(isGood)).toBe(all.some(isGood))
        expect(judgeExpiry(left, keep, now).every((one) => one.kept)).toBe(true)
      }),
    )
  })
})
