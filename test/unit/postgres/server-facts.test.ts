import { describe, expect, it } from 'vitest'
import type { NetopsError } from '../../../src/model/errors.ts'
import { refuseUnfitServer, type ServerFacts } from '../../../src/postgres/server-facts.ts'

const server: ServerFacts = {
  ...{ version: 150_018, isSuperuser: false, mayReplicate: true, walLevel: 'replica', senders: 0, mostSenders: 10 },
  ...{
    slots: 0,
    mostSlots: 10,
    segmentBytes: 1 << 24,
    inRecovery: false,
    timeline: 1,
    lsn: 0x3000000n,
    now: 0,
    mostKept: -1,
  },
  archive: { mode: 'off', command: '', timeout: '0', last: null, at: null, failed: 0, failedAt: null },
  slot: null,
}
const slot = { type: 'physical', active: false, from: 0x2000000n, walStatus: 'reserved', kept: 1 << 24 }
const wanted = {
  login: { host: 'db', port: 5432, database: 'network', user: 'network', ssl: 'disable' as const },
  ...{ slot: 'netops_wal', toolsMajor: 15, isOurs: false },
}

describe('a server whose log is to be received', () => {
  it.each([
    ['as it is usually set up', {}, {}],
    ['with a slot that nobody uses', { slot, slots: 10 }, {}],
    [
      'with our own slot in use, and no other sender free',
      { slot: { ...slot, active: true }, senders: 10 },
      { isOurs: true },
    ],
    ['with programs of a newer version', {}, { toolsMajor: 17 }],
  ] satisfies readonly [string, Partial<ServerFacts>, Partial<typeof wanted>][])('is fit %s', (_, facts, more) => {
    expect(() => refuseUnfitServer({ ...server, ...facts }, { ...wanted, ...more })).not.toThrow()
  })

  it.each([
    ['older programs', {}, /PostgreSQL 15, and pg_receivewal here is of 14/, 'apt-get install postgresql-client-15'],
    ['no right', { mayReplicate: false }, /no right of replication/, 'ALTER ROLE "network" REPLICATION;'],
    ['wal_level minimal', { walLevel: 'minimal' }, /wal_level is minimal/, "ALTER SYSTEM SET wal_level = 'replica';"],
    ['all senders taken', { senders: 10 }, /all of its 10 senders/, 'ALTER SYSTEM SET max_wal_senders = 12;'],
    ['all slots taken', { slots: 10 }, /all of its 10 replication slots/, 'max_replication_slots = 12;'],
    ['a logical slot', { slot: { ...slot, type: 'logical' } }, /is a logical one/, '--slot NAME'],
    ["somebody else's slot", { slot: { ...slot, active: true } }, /in use by somebody else/, '--slot NAME'],
    [
      'a lost slot',
      { slot: { ...slot, walStatus: 'lost' } },
      /has lost its place/,
      "drop_replication_slot('netops_wal')",
    ],
  ] satisfies readonly [string, Partial<ServerFacts>, RegExp, string][])(
    'is refused with %s, and told what to do',
    (what, facts, message, hint) => {
      const toolsMajor = what === 'older programs' ? 14 : 15
      let error: unknown
      try {
        refuseUnfitServer({ ...server, ...facts }, { ...wanted, toolsMajor })
      } catch (thrown) {
        error = thrown
      }
      expect(error).toMatchObject({ code: 'refused' })
      expect((error as NetopsError).message).toMatch(message)
      expect((error as NetopsError).message).toMatch(/; nothing was changed$/)
      expect((error as NetopsError).hint).toContain(hint)
    },
  )
})
