import { describe, expect, test } from 'vitest'
import { figuresText } from '../../../src/backups/figures.ts'
import { formatAge, judgeBackups, type HostBackups } from '../../../src/backups/standing.ts'
import { bytesOnDisk } from '../../../src/backups/catalogue.ts'
import { noteWhole } from '../../../src/backups/verify.ts'
import { usualBackup } from '../../../src/model/backup-config.ts'
import type { BackupEntry } from '../../../src/model/backup.ts'
import { backupEntryOf } from '../../support/backups.ts'

const [minute, hour, day] = [60_000, 3_600_000, 86_400_000]
const nowMs = Date.parse('2026-11-27T12:00:00Z')
const { rpo, verified } = usualBackup.objectives
const promised = {
  ...{ configurationMs: rpo.configuration, stateMs: rpo.state, logMs: rpo.log, verifiedMs: verified },
}

const read = (agoMs: number, share = 1) =>
  ({ at: new Date(nowMs - agoMs).toISOString(), how: 'stored', share }) as const
const backup = (agoMs: number, more: Partial<BackupEntry> = {}): BackupEntry =>
  backupEntryOf(nowMs - agoMs, { verified: read(agoMs), ...more })
const checkpoint = (agoMs: number) => ({
  ...{ file: 'checkpoint-x.db', takenAt: new Date(nowMs - agoMs).toISOString() },
})

/** Each point in a few words. */
const points = (host: Partial<HostBackups>) =>
  Object.fromEntries(
    judgeBackups(
      { nowMs, entries: [], unreadable: [], checkpointMs: undefined, state: 'sqlite', ...host },
      promised,
    ).points.map(({ of, stands, ageMs, what }) => [
      of,
      `${stands}: ${what}${ageMs === undefined ? '' : `, ${formatAge(ageMs)}`}`,
    ]),
  )

describe('how backups stand', () => {
  test("by the guide's objectives: daily, hourly, read back within a week", () => {
    const entry = backup(20 * hour)
    expect(points({ entries: [entry], checkpointMs: nowMs - 50 * minute })).toEqual({
      configuration: `in time: ${entry.id}, 20 h`,
      state: 'in time: checkpoint, 50 min',
      log: 'unjudged: SQLite: its log is not copied, only checkpoints are',
      verified: `in time: ${entry.id}, 20 h`,
    })
  })

  test('what is made once a day may be a little older than a day, and no more', () => {
    expect(points({ entries: [backup(26 * hour)] }).configuration).toMatch(/^in time/)
    expect(points({ entries: [backup(27 * hour)] }).configuration).toMatch(/^behind/)
  })

  test('what was not read back or is damaged is none', () => {
    const entries = [
      backup(hour, { verified: null }),
      backup(2 * hour, { verified: read(hour, 0.1) }),
      backup(3 * hour, { damage: { at: read(0).at, what: ['a bit'] } }),
    ]
    expect(points({ entries })).toMatchObject({
      configuration: `behind: no good backup (${entries[0]?.id} is not verified)`,
      verified: 'behind: none was read back',
    })
    const { damaged, good, backups } = judgeBackups(
      { nowMs, entries, unreadable: ['x is damaged'], checkpointMs: undefined, state: undefined },
      promised,
    )
    expect({ damaged, good, backups }).toEqual({
      damaged: ['x is damaged', `${entries[2]?.id}: a bit`],
      good: 0,
      backups: 3,
    })
  })

  test('the state is as old as its newest copy, wherever that is', () => {
    const entry = backup(10 * minute, { checkpoint: checkpoint(12 * minute) })
    expect(points({ entries: [entry], checkpointMs: nowMs - 40 * minute }).state).toBe(`in time: ${entry.id}, 12 min`)
    expect(points({ entries: [backup(minute)] }).state).toBe('behind: no copy of the state')
    expect(points({ entries: [], state: undefined }).state).toBe('unjudged: no state here')
    const cluster = backup(hour, { kind: 'database' })
    // A checkpoint of a store that is no longer used says nothing of the one that is.
    expect(points({ entries: [cluster], state: 'postgres', checkpointMs: nowMs }).state).toBe(
      `in time: ${cluster.id}, 60 min`,
    )
  })

  test('the log of a cluster is as far behind as its archive, and with it the state', () => {
    const entries = [backup(30 * hour, { kind: 'database' })]
    const at = (log?: HostBackups['log']) => points({ entries, state: 'postgres', log })
    expect(at().log).toBe('behind: it is not archived: netops db archive setup')
    expect(at().state).toMatch(/^behind: /)
    expect(at({ behindMs: 500, problems: [] })).toMatchObject({
      log: 'in time: it is received, 500 ms',
      state: `in time: ${entries[0]?.id} and the log since, 500 ms`,
    })
    expect(at({ behindMs: 500, problems: ['missing: 1'] })).toMatchObject({ log: 'behind: missing: 1' })
    expect(at({ behindMs: 500, problems: ['missing: 1'] }).state).toMatch(/^behind: /)
    expect(at({ behindMs: undefined, problems: [] }).log).toMatch(/^behind: /)
  })

  test('a clock that was set back makes nothing behind', () => {
    expect(points({ entries: [backup(-2 * day)] }).configuration).toMatch(/^in time.* 0 ms$/)
  })
})

describe('having been read', () => {
  const entry = backupEntryOf(nowMs)
  const damage = { at: read(0).at, what: ['a bit'] }

  test('a part of it counts as long as nothing better is known', () => {
    const part = noteWhole(entry, read(0, 0.1))
    expect(part.verified).toEqual(read(0, 0.1))
    const all = noteWhole(part, read(hour))
    expect(all.verified).toEqual(read(hour))
    expect(noteWhole(all, read(0, 0.5)).verified).toEqual(read(hour))
  })

  test('only all of it takes damage back', () => {
    expect(noteWhole({ ...entry, damage }, read(0, 0.9)).damage).toEqual(damage)
    expect(noteWhole({ ...entry, damage }, read(0)).damage).toBeNull()
  })
})

test('one archive under several names takes its room once', () => {
  const first = backup(2 * hour, { bytes: 500 })
  const others = [hour, 0].map((ago) => backup(ago, { bytes: 500, sameAs: first.id }))
  expect(bytesOnDisk([...others, first, backup(3 * hour, { bytes: 7 })])).toBe(507)
  expect(bytesOnDisk(others)).toBe(500)
})

test('figures are those of the newest of each kind, and none where there is none', () => {
  const entries = [backup(hour, { verified: null, bytes: 2000 }), backup(2 * hour), backup(day, { kind: 'database' })]
  const text = figuresText(entries)
  const value = (name: string, kind: string) => new RegExp(`^${name}\\{kind="${kind}"\\} (.*)$`, 'm').exec(text)?.[1]
  expect(value('netops_backup_last_success_timestamp_seconds', 'config')).toBe(`${(nowMs - 2 * hour) / 1000}`)
  expect(value('netops_backup_last_size_bytes', 'config')).toBe('2000')
  expect(value('netops_backups', 'config')).toBe('2')
  expect(value('netops_backup_last_verified_timestamp_seconds', 'database')).toBe(`${(nowMs - day) / 1000}`)
  expect(figuresText([])).toContain('netops_backups{kind="config"} 0')
  expect(figuresText([])).not.toContain('last_success_timestamp_seconds{')
  expect(figuresText([])).not.toContain('kind="database"')
})
