// What a host does so that the log of its database is archived, from what is there already.
import { describe, expect, it } from 'vitest'
import type { Effect } from '../../../../src/model/effects.ts'
import { hostPaths } from '../../../../src/model/paths.ts'
import { stepsOf } from '../../../../src/model/plan.ts'
import type { ServerStanding, WalArchiveFacts } from '../../../../src/procedures/wal-archive/facts.ts'
import { wantedSettings } from '../../../../src/procedures/wal-archive/facts.ts'
import { planWalArchive } from '../../../../src/procedures/wal-archive/plan.ts'
import { walArchiveRequest, type WalArchiveRequest } from '../../../../src/procedures/wal-archive/request.ts'
import { readTemplate } from '../../../../src/system/assets.ts'

const template = readTemplate('network_wal_archive.service')
const paths = hostPaths('/')

const request = (more: Partial<WalArchiveRequest> = {}): WalArchiveRequest => ({
  ...{
    procedure: 'wal-archive',
    run: 'r',
    host: 'db1',
    root: '/',
    manager: 'systemd',
    netops: '/usr/local/bin/netops',
  },
  ...{ action: 'set-up', mode: 'stream', to: '/var/backups/network_system', slot: 'netops_wal', synchronous: false },
  account: 'postgres',
  ...more,
})

const server: ServerStanding = {
  login: { host: 'db', port: 5432, database: 'network', user: 'network', ssl: 'disable' },
  ...{ bin: '/usr/lib/postgresql/15/bin', segmentBytes: 1 << 24, systemId: '77', hasSlot: false, isReceiving: false },
  ...{ settings: undefined, archives: false },
}
const bare: WalArchiveFacts = {
  ...{ record: undefined, unit: undefined, service: 'absent', logs: 'journalctl -u network_wal_archive' },
  ...{ folders: { to: false, wal: false, units: true }, passfile: 'none', server },
}

const kinds = (effects: readonly Effect[]) =>
  effects.map((one) =>
    one.kind === 'work'
      ? one.work
      : one.kind === 'service'
        ? one.action
        : `${one.kind} ${'path' in one ? one.path : ''}`,
  )
const shown = (facts: WalArchiveFacts, asked = request()) =>
  stepsOf(planWalArchive(asked, facts, template)).map(({ id, act, undo, unchanged }) => ({
    ...{ id, act: kinds(act), undo: kinds(undo) },
    ...(unchanged === true ? { unchanged } : {}),
  }))

/** What is there after a plan was carried out. */
function after(facts: WalArchiveFacts, asked = request()): WalArchiveFacts {
  const written = new Map(
    stepsOf(planWalArchive(asked, facts, template)).flatMap(({ act }) =>
      act.flatMap((one) => (one.kind === 'write' ? [[one.path, one.content] as const] : [])),
    ),
  )
  return {
    ...facts,
    record: JSON.parse(written.get(paths.walArchive) ?? 'null') as WalArchiveFacts['record'],
    unit: written.get(paths.walUnit),
    ...{ service: 'running', passfile: 'same', folders: { to: true, wal: true, units: true } },
    server: { ...server, hasSlot: true, isReceiving: true },
  }
}

describe('archiving a log', () => {
  it('on a host that has nothing makes folder, password, record, slot and unit, and takes back each', () => {
    expect(shown(bare)).toEqual([
      {
        id: 'folder',
        act: ['directory /var/backups/network_system', 'directory /var/backups/network_system/wal'],
        undo: ['remove-empty /var/backups/network_system/wal', 'remove-empty /var/backups/network_system'],
      },
      { id: 'password', act: ['wal-passfile'], undo: [`remove ${paths.walPassfile}`] },
      { id: 'record', act: [`write ${paths.walArchive}`], undo: [`remove ${paths.walArchive}`] },
      { id: 'slot', act: ['wal-slot'], undo: ['wal-slot'] },
      {
        id: 'unit',
        act: [`write ${paths.walUnit}`, 'reload-units'],
        undo: [`remove ${paths.walUnit}`, 'reload-units'],
      },
      { id: 'start', act: ['enable', 'forget-failures', 'start'], undo: ['stop', 'disable'] },
      { id: 'receiving', act: ['await-wal'], undo: [] },
    ])
  })

  it('once more changes nothing', () => {
    const steps = shown(after(bare))
    expect(steps.map(({ unchanged }) => unchanged)).toEqual(steps.map(() => true))
    expect(steps.flatMap(({ act, undo }) => [...act, ...undo])).toEqual([])
  })

  it.each([
    ['another password', { passfile: 'another' }, ['password', 'start', 'receiving'], 'restart'],
    ['a receiver that has ended', { service: 'failed' }, ['start', 'receiving'], 'start'],
    ['a unit that somebody changed', { unit: 'mine' }, ['unit', 'start', 'receiving'], 'restart'],
  ] satisfies readonly [string, Partial<WalArchiveFacts>, string[], string][])(
    'with %s does only what that takes',
    (_, differences, ids, action) => {
      const steps = shown({ ...after(bare), ...differences }).filter(({ unchanged }) => unchanged !== true)
      expect(steps.map(({ id }) => id)).toEqual(ids)
      expect(steps.find(({ id }) => id === 'start')?.act.at(-1)).toBe(action)
    },
  )

  it('puts back the unit and the record that were there', () => {
    const before = after(bare)
    const changed = stepsOf(planWalArchive(request({ synchronous: true }), before, template))
    const undone = changed.flatMap(({ undo }) => undo).filter((one) => one.kind === 'write')
    expect(undone.map(({ path, content }) => [path, content])).toEqual([
      [paths.walArchive, `${JSON.stringify(before.record)}\n`],
      [paths.walUnit, before.unit],
    ])
  })

  it('never holds a password, and keeps the log from everybody else', () => {
    const plan = JSON.stringify(planWalArchive(request(), bare, template))
    expect(plan).toContain('"path":"/var/backups/network_system/wal","mode":"0700"')
    expect(plan).toContain('passfile=/var/lib/netops/wal-archive.pgpass')
  })

  it('by the server itself sets what it lacks, and says where that waits for a restart', () => {
    const asked = request({ mode: 'archive_command' })
    const own = { ...server, settings: { archive_mode: { value: 'off', isOurs: false } } }
    const steps = stepsOf(planWalArchive(asked, { ...bare, server: own }, template))
    const settings = steps.find(({ id }) => id === 'settings')
    expect(settings?.title).toContain('takes effect when it is restarted')
    expect(settings?.act).toMatchObject([{ work: 'alter-system', input: { settings: wantedSettings(asked) } }])
    expect(settings?.undo).toMatchObject([
      { input: { settings: { archive_mode: null, archive_command: null, archive_timeout: null } } },
    ])
    const set = Object.fromEntries(
      Object.entries(wantedSettings(asked)).map(([name, value]) => [name, { value, isOurs: true }]),
    )
    const again = shown({ ...bare, server: { ...server, settings: set, archives: true } }, asked)
    expect(again.find(({ id }) => id === 'settings')).toMatchObject({ unchanged: true })
    expect(again.find(({ id }) => id === 'receiving')?.act).toEqual(['await-wal'])
  })

  it('ends with the slot, which cannot be taken back, and leaves the log', () => {
    const there = { ...after(bare), server: undefined }
    expect(shown(there, request({ action: 'take-down' }))).toEqual([
      { id: 'stop', act: ['stop', 'disable'], undo: ['enable', 'start'] },
      { id: 'slot', act: ['wal-slot'], undo: [] },
      { id: 'unit', act: [`remove ${paths.walUnit}`, 'reload-units'], undo: [] },
      { id: 'record', act: [`remove ${paths.walArchive}`, `remove ${paths.walPassfile}`], undo: [] },
    ])
  })

  it('is asked for with names and paths that lead nowhere else', () => {
    for (const wrong of [
      { slot: 'a;b' },
      { to: '/var/../etc' },
      { account: 'a b' },
      { bin: 'relative' },
      { mode: 'other' },
    ]) {
      expect(walArchiveRequest.safeParse({ ...request(), ...wrong }).success).toBe(false)
    }
  })
})
