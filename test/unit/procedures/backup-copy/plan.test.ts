import { describe, expect, test } from 'vitest'
import type { BackupEntry } from '../../../../src/model/backup.ts'
import { backupSection, usualBackup } from '../../../../src/model/backup-config.ts'
import { stepsOf } from '../../../../src/model/plan.ts'
import { copyExpiry } from '../../../../src/fleet/offsite.ts'
import { judgeBackups } from '../../../../src/backups/standing.ts'
import { recipientsDigest } from '../../../../src/backups/offsite/recipients.ts'
import { offsiteOf } from '../../../../src/procedures/backup/request.ts'
import { planCopy } from '../../../../src/procedures/backup-copy/host-procedure.ts'
import { copyRequest } from '../../../../src/procedures/backup-copy/request.ts'
import { backupEntryOf } from '../../../support/backups.ts'

const day = 86_400_000
const nowMs = Date.parse('2026-11-27T12:00:00Z')
const whole = { verified: { at: '2026-11-27T00:00:00.000Z', how: 'stored', share: 1 } } as const
const copiedTo = (...places: readonly string[]): BackupEntry['copies'] =>
  places.map((to) => ({ to, objects: [], at: '2026-11-27T00:00:00.000Z', evidence: 'read-back', encrypted: true }))
const backup = (agoDays: number, more: Partial<BackupEntry> = {}): BackupEntry =>
  backupEntryOf(nowMs - agoDays * day, { ...whole, ...more })

const request = copyRequest.parse({
  ...{ procedure: 'backup-copy', run: 'r', host: 'web1', root: '/', manager: 'systemd', netops: '/n' },
  offsite: { places: ['s3://bucket/a', '/disk'], as: 'web1', recipients: [] },
})
const idsIn = (plan: ReturnType<typeof planCopy>): readonly unknown[] =>
  stepsOf(plan).flatMap(({ act }) =>
    act.flatMap((effect) => ('input' in effect ? (effect.input as { ids: string[] }).ids : [])),
  )

describe('which backups are copied', () => {
  test('those that are good and not in each place', () => {
    const entries = [
      backup(0),
      backup(1, { copies: copiedTo('s3://bucket/a') }),
      backup(2, { copies: copiedTo('s3://bucket/a', '/disk') }),
      backup(3, { verified: null }),
    ]
    expect(idsIn(planCopy(request, { entries, begun: [] }))).toEqual([entries[0]?.id, entries[1]?.id])
  })

  test('none where all are there, unless something was left on the way', () => {
    const entries = [backup(0, { copies: copiedTo('s3://bucket/a', '/disk') })]
    expect(stepsOf(planCopy(request, { entries, begun: [] }))[0]).toMatchObject({ act: [], unchanged: true })
    expect(stepsOf(planCopy(request, { entries, begun: [entries[0]?.id ?? ''] }))[0]?.act).toHaveLength(1)
  })

  test('none that is not there', () => {
    expect(() => planCopy({ ...request, which: ['config_20200101_000000'] }, { entries: [], begun: [] })).toThrow(
      'there is no backup config_20200101_000000',
    )
  })
})

describe('what a fleet file says of copies', () => {
  test('is one place or several, each once', () => {
    const settings = backupSection.parse({ offsite: ['/disk', 's3://bucket/a', '/disk'] })
    expect(offsiteOf(settings, 'web1').offsite).toMatchObject({ places: ['/disk', 's3://bucket/a'], as: 'web1' })
    expect(offsiteOf(usualBackup, 'web1')).toEqual({})
  })

  test.each([
    { offsite: 'ftp://host/x' },
    { offsite: 's3://key:secret@bucket/x' },
    { s3: { endpoint: 'https://key:secret@s3.example.com' } },
    { s3: { secret_key: 'in-the-file' } },
    { encrypt_to: ['age1short'] },
  ])('is refused where it is %j', (given) => {
    expect(backupSection.safeParse(given).success).toBe(false)
  })
})

test('copies expire a week after the last backup that could need them', () => {
  expect(copyExpiry(usualBackup.keep)).toEqual({ days: 37, partsDays: 7 })
})

test('recipients are the same in any order', () => {
  expect(recipientsDigest(['age1b', 'age1a', 'age1b'])).toBe(recipientsDigest(['age1a', 'age1b']))
  expect(recipientsDigest([])).toBeUndefined()
})

test('a place without a copy as young as promised is behind, by what the copy is of', () => {
  const entries = [backup(0), backup(3, { copies: copiedTo('/disk') })]
  const promised = { configurationMs: day, stateMs: day, logMs: day, verifiedMs: day }
  const host = { nowMs, entries, unreadable: [], checkpointMs: undefined, state: undefined }
  const { points, behind } = judgeBackups(host, { ...promised, places: ['/disk', 's3://bucket/a'] })
  expect(points.filter(({ of }) => of === 'copies')).toMatchObject([
    { stands: 'behind', ageMs: 3 * day, what: `${entries[1]?.id} in /disk` },
    { stands: 'behind', ageMs: undefined, what: 'nothing in s3://bucket/a' },
  ])
  expect(behind).toBe(true)
  expect(judgeBackups(host, promised).points.some(({ of }) => of === 'copies')).toBe(false)
})
