import { describe, expect, it } from 'vitest'
import { segmentName } from '../../../../src/model/wal.ts'
import { planWalExpiry } from '../../../../src/procedures/wal-expire/expiry.ts'
import { backupEntryOf } from '../../../support/backups.ts'

const archive = { segmentBytes: 1 << 24, systemId: '77' }
const name = (number: number, timeline = 1): string => segmentName({ timeline, number }, archive.segmentBytes)
const cluster = (from: string, systemId = '77', timeline = 1) => ({
  version: 150_018,
  systemId,
  timeline,
  from,
  to: from,
})
const names = [1, 2, 3, 4].map((number) => name(number))
const base = (hour: number, one: ReturnType<typeof cluster>) =>
  backupEntryOf(Date.UTC(2026, 10, 27, hour), { kind: 'database', cluster: one })

describe('the segments of a log', () => {
  it('go where they come before the oldest base backup', () => {
    const entries = [base(19, cluster('0/4000028')), base(18, cluster('0/3000028'))]
    expect(planWalExpiry(names, archive, entries)).toEqual({
      remove: [name(1), name(2)],
      reason: `database_20261127_180000 is the oldest base backup, and needs the log from ${name(3)} on: 2 of 4 segments are older`,
      oldest: { timeline: 1, lsn: '0/3000028' },
    })
  })
  it('all stay where there is no base backup of their cluster', () => {
    const reason = 'no base backup of this cluster is there, so all of its log stays'
    const none = { remove: [], reason, oldest: undefined }
    expect(planWalExpiry(names, archive, [])).toEqual(none)
    expect(planWalExpiry(names, archive, [base(18, cluster('0/4000028', '88'))])).toEqual(none)
  })
  it('all stay where none is older', () => {
    expect(planWalExpiry(names, archive, [base(18, cluster('0/1000028'))]).remove).toEqual([])
  })
  it('of a later timeline stay as long as a base backup of an earlier one is there', () => {
    const entries = [base(18, cluster('0/2000028')), base(19, cluster('0/4000028', '77', 2))]
    expect(planWalExpiry([...names, name(3, 2)], archive, entries).remove).toEqual([name(1)])
  })
})
