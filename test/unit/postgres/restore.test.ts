import { describe, expect, it } from 'vitest'
import { needsOf } from '../../../src/postgres/base-backup.ts'
import { outcomeIn, recoverySettings, serverSettings } from '../../../src/postgres/recovery.ts'
import { refuseUnreachable } from '../../../src/postgres/restore-facts.ts'

const label = `START WAL LOCATION: 0/2000028 (file 000000010000000000000002)
CHECKPOINT LOCATION: 0/2000060
BACKUP METHOD: streamed
LABEL: START WAL LOCATION: 9/9000028 (file x)
START TIMELINE: 1
`
const proof = `{ "Path": "x", "Size": 1 }
],
"WAL-Ranges": [
{ "Timeline": 1, "Start-LSN": "0/2000028", "End-LSN": "0/2000100" }
],
"Manifest-Checksum": "00"}
`

describe('a base backup', () => {
  it('says by itself which part of the log it needs', () => {
    expect(needsOf(label, proof)).toEqual({ timeline: 1, from: '0/2000028', to: '0/2000100' })
  })
  it.each([
    ['without a label', '', proof],
    ['without a range', label, '{}'],
    ['with a range that is none', label, '"WAL-Ranges": [{ "Timeline": 1 }]'],
  ])('%s is none', (_, one, other) => {
    expect(() => needsOf(one, other)).toThrow('does not say which part of the log it needs')
  })
})

describe('the time to which a database is restored', () => {
  const reach = { from: '2026-11-27T18:00:00.000Z', before: '2026-11-27T19:00:00.000Z' }
  const place = { folder: '/b', name: 'database_20261127_180000' }
  const time = (at: string) => () => refuseUnreachable({ kind: 'time', at }, reach, place)
  it('lies between the end of the base backup and the last transaction', () => {
    expect(time('2026-11-27T18:00:00.000Z')).not.toThrow()
    expect(time('2026-11-27T18:59:59.999Z')).not.toThrow()
    expect(time('2026-11-27T17:59:59.999Z')).toThrow('lies before the base backup database_20261127_180000 was whole')
    expect(time('2026-11-27T19:00:00.000Z')).toThrow(
      'the log does not reach to 2026-11-27T19:00:00.000Z: what can be restored from database_20261127_180000 is from 2026-11-27T18:00:00.000Z to before 2026-11-27T19:00:00.000Z',
    )
  })
  it('cannot be chosen where no transaction came after the base backup; all of the log can', () => {
    const none = { from: reach.from, before: undefined }
    expect(() => refuseUnreachable({ kind: 'time', at: reach.from }, none, place)).toThrow('is only 2026-11-27T18:00')
    expect(() => refuseUnreachable({ kind: 'latest' }, none, place)).not.toThrow()
  })
})

describe('a restored server', () => {
  it('has at least as much of all as the one whose log it replays, and archives nothing', () => {
    const control =
      'max_connections setting:              250\nmax_worker_processes setting:         8\nmax_wal_senders setting:              12\nmax_prepared_xacts setting:           5\nmax_locks_per_xact setting:           64\n'
    const lines = serverSettings(control, { into: '/srv/restored', port: 5433 }).split('\n')
    expect(lines).toEqual(
      expect.arrayContaining([
        ...['max_connections = 250', 'max_wal_senders = 12', 'max_prepared_transactions = 5'],
        ...[
          'port = 5433',
          "archive_mode = 'off'",
          "primary_conninfo = ''",
          "unix_socket_directories = '/srv/restored'",
        ],
      ]),
    )
  })
  it('replays to a time with an offset, and then waits or goes on', () => {
    const target = { kind: 'time', at: '2026-11-27T18:10:36.000Z' } as const
    expect(recoverySettings('/srv/wal', target, false)).toContain("recovery_target_time = '2026-11-27 18:10:36.000+00'")
    expect(recoverySettings('/srv/wal', target, false)).toContain("recovery_target_action = 'pause'")
    expect(recoverySettings('/srv/wal', target, true)).toContain("recovery_target_action = 'promote'")
    expect(recoverySettings('/srv/wal', { kind: 'latest' }, true)).not.toContain('recovery_target_time =')
  })
  it.each([
    ['is replaying', 'LOG:  database system is ready to accept read-only connections\n', undefined],
    [
      'takes writes',
      'LOG:  recovery stopping before commit of transaction 740, time 2026-11-27 18:10:38.867803+00\nLOG:  last completed transaction was at log time 2026-11-27 18:10:34.620174+00\nLOG:  database system is ready to accept connections\n',
      {
        state: 'promoted',
        lastTransactionAt: '2026-11-27T18:10:34.620174Z',
        stoppedBefore: '2026-11-27T18:10:38.867803Z',
      },
    ],
    [
      'waits at the target',
      'LOG:  recovery stopping before commit of transaction 740, time 2026-11-27 18:10:38+00\nLOG:  pausing at the end of recovery\n',
      { state: 'paused', lastTransactionAt: undefined, stoppedBefore: '2026-11-27T18:10:38Z' },
    ],
  ])('says in its log that it %s', (_, log, outcome) => {
    expect(outcomeIn(log)).toEqual(outcome)
  })
})
