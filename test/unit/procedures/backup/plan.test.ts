import { describe, expect, test } from 'vitest'
import { backupExpire } from '../../../../src/procedures/backup-expire/host-procedure.ts'
import { planBackup } from '../../../../src/procedures/backup/plan.ts'
import type { BackupFacts } from '../../../../src/procedures/backup/facts.ts'
import { expectedBytes } from '../../../../src/procedures/backup/room.ts'
import { backupRequest } from '../../../../src/procedures/backup/request.ts'
import { verifyRequest } from '../../../../src/procedures/backup-verify/request.ts'
import { planVerification } from '../../../../src/procedures/backup-verify/host-procedure.ts'
import { stepsOf } from '../../../../src/model/plan.ts'
import { backupEntryOf } from '../../../support/backups.ts'

const now = Date.parse('2026-11-27T02:15:00Z')
const place = { run: 'r', host: 'web1', root: '/', manager: 'systemd', netops: '/opt/netops' } as const
const request = (more: object = {}) => backupRequest.parse({ procedure: 'backup', ...place, ...more })
const facts: BackupFacts = {
  ...{ now, there: ['/etc/network_system'], state: 'sqlite', release: '1.0.0-0123456789ab', ids: [] },
}

const steps = (more: object = {}, found: Partial<BackupFacts> = {}) =>
  stepsOf(planBackup(request(more), { ...facts, ...found })).map(({ id, act }) => {
    const [effect] = act
    return { id, input: effect?.kind === 'work' ? (effect.input as Record<string, unknown>) : {} }
  })

describe('a backup', () => {
  test('of a host with SQLite begins with a checkpoint', () => {
    expect(steps().map(({ id }) => id)).toEqual(['checkpoint', 'archive', 'verify', 'expire', 'conclude'])
    expect(
      steps({}, { state: 'postgres' })
        .map(({ id }) => id)
        .slice(0, 4),
    ).toEqual([...['database', 'database-verify', 'database-expire', 'archive']])
    expect(steps({ only: 'database' }, { state: 'postgres' }).map(({ id }) => id)).toEqual([
      ...['database', 'database-verify', 'database-expire'],
    ])
    const offsite = { places: ['/copies'], as: 'web1', recipients: [] }
    expect(
      steps({ only: 'database', offsite }, { state: 'postgres' })
        .map(({ id }) => id)
        .at(-1),
    ).toBe('database-copy')
    expect(steps({ only: 'config' }, { state: 'postgres' }).map(({ id }) => id)[0]).toBe('archive')
    expect(() => steps({ only: 'database' })).toThrow('there is no database to back up')
    expect(steps({}, { state: undefined }).map(({ id }) => id)[0]).toBe('archive')
  })

  test('holds what is there, by the guide’s name and place', () => {
    const [, archive, , expire] = steps()
    expect(archive?.input).toEqual({
      ...{ root: '/', catalogue: '/var/lib/netops/backups', folder: '/var/backups/network_system' },
      ...{ id: 'config_20261127_021500', roots: ['etc/network_system'], exclude: [], compression: 'gzip' },
      release: '1.0.0-0123456789ab',
    })
    expect(expire?.input).toMatchObject({ keep: { withinMs: 30 * 86_400_000 }, nowMs: now })
  })

  test('lies below another root with all that belongs to it', () => {
    const [, archive, , , conclude] = steps({ root: '/srv/site', to: '/backups', textfile: '/metrics' })
    expect(archive?.input).toMatchObject({ folder: '/srv/site/backups', catalogue: '/srv/site/var/lib/netops/backups' })
    expect(conclude?.input).toMatchObject({ textfile: '/srv/site/metrics' })
  })

  test('takes the next second where its own is taken', () => {
    const ids = ['config_20261127_021500', 'config_20261127_021501']
    expect(steps({}, { ids })[1]?.input).toMatchObject({ id: 'config_20261127_021502' })
  })

  test('of nothing is refused', () => {
    expect(() => steps({}, { there: [] })).toThrow(/there is nothing to back up: none of \/etc\/network_system/)
  })

  test.each([
    ['a path that leads elsewhere', { paths: ['/etc/../root'] }],
    ['a relative folder', { to: 'backups' }],
    ['a field that nobody knows', { colour: 'blue' }],
  ])('is not asked for with %s', (_, more) => {
    expect(() => request(more)).toThrow()
  })
})

describe('a verification', () => {
  const ids = ['config_20261127_021500', 'config_20261126_021500']
  const found = { now, ids, newest: ids.slice(0, 1), damaged: 0 }
  const plan = (more: object, there: Partial<typeof found> = {}) =>
    stepsOf(
      planVerification(verifyRequest.parse({ procedure: 'backup-verify', ...place, ...more }), { ...found, ...there }),
    ).map(({ act }) => act[0])

  test('is of the newest, of all, or of those that are named', () => {
    expect(plan({})[0]).toMatchObject({ input: { ids: ids.slice(0, 1) } })
    expect(plan({ which: 'all', share: 0.1 })[0]).toMatchObject({ input: { ids, sample: { share: 0.1 } } })
    expect(plan({ which: [ids[1]] })[1]).toMatchObject({ input: { ids: [ids[1]] } })
  })

  test('judges what of the catalogue cannot be read only where all was meant', () => {
    expect(plan({ which: 'all' })[1]).toMatchObject({ input: { whole: 'catalogue too' } })
    expect(plan({ which: [ids[1]] })[1]).not.toMatchObject({ input: { whole: 'catalogue too' } })
    expect(plan({}, { ids: [], newest: [], damaged: 1 })).toHaveLength(2)
  })

  test('of what is not there says so', () => {
    expect(() => plan({ which: ['config_20200101_000000'] })).toThrow('there is no backup config_20200101_000000')
    expect(() => plan({}, { ids: [], newest: [] })).toThrow('there is no backup to verify')
  })
})

test('an archive is expected to be compressed as the last one was, and what is copied takes what it took', () => {
  const last = backupEntryOf(now, { bytes: 250, rawBytes: 1000 })
  expect(expectedBytes({ anew: 4000, taken: 700 }, last)).toBe(700 + 1100)
  expect(expectedBytes({ anew: 4000, taken: 0 }, undefined)).toBe(2200)
  expect(expectedBytes({ anew: 100, taken: 0 }, backupEntryOf(now, { bytes: 5000, rawBytes: 1000 }))).toBe(111)
})

test('an expiry tells what it came to', () => {
  const asked = { procedure: 'backup-expire', ...place }
  const end = { undone: false, standing: undefined }
  const removed = { expire: { removed: ['config_20261126_021500'], freedBytes: 1500, kept: 1 } }
  expect(backupExpire.result(asked, true, { ...end, results: removed }).text).toBe(
    'removed config_20261126_021500 (1.5 KB)',
  )
  expect(backupExpire.result(asked, false, { ...end, results: {} }).text).toBe('nothing to remove')
})
